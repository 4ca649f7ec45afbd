"""Plain arrays: NPY and NPZ files, written atomically and never unpickled."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from geom_miner.errors import MediaError


def read_array(path: Path | str) -> npt.NDArray[np.float64]:
    """Read a numeric NPY file as float64.

    Raises
    ------
    MediaError
        The file is missing, cut short, no NPY file, or not numeric.
    """
    try:
        array = np.load(path, allow_pickle=False)
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
            raise ValueError
    except OSError as error:
        reason = error.strerror or "it is no NPY file"
        raise MediaError(f"cannot read {path}: {reason}; check the path") from error
    except (ValueError, EOFError) as error:
        raise MediaError(
            f"{path} is not a whole NPY file of numbers; write it with numpy.save"
        ) from error
    return array.astype(np.float64)


def write_array(path: Path | str, array: npt.NDArray[np.generic]) -> None:
    """Write an NPY file."""
    write_atomically(Path(path), lambda file: np.save(file, array, allow_pickle=False))


def write_archive(path: Path | str, **arrays: npt.NDArray[np.generic]) -> None:
    """Write a compressed NPZ file of named arrays."""
    write_atomically(
        Path(path), lambda file: np.savez_compressed(file, allow_pickle=False, **arrays)
    )


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file beside its destination and rename it, so that a failure leaves the old one.

    Raises
    ------
    MediaError
        The destination cannot be written.
    """
    scratch = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with scratch.open("wb") as file:
            write(file)
        scratch.replace(path)
    except OSError as error:
        raise MediaError(
            f"cannot write {path}: {error.strerror or 'writing failed'}; "
            "choose a folder that exists, is writable and has space"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            scratch.unlink(missing_ok=True)
