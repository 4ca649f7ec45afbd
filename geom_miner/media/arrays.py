"""Plain arrays: NPY and NPZ files, written atomically and never unpickled."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
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


def write_array_in_slabs(
    path: Path | str,
    shape: tuple[int, ...],
    dtype: npt.DTypeLike,
    slabs: Iterable[npt.NDArray[np.generic]],
) -> None:
    """Write an NPY file of ``shape`` from slabs that follow each other in row-major order."""
    facts = {
        "descr": np.lib.format.dtype_to_descr(np.dtype(dtype)),
        "fortran_order": False,
        "shape": shape,
    }

    def write(file: IO[bytes]) -> None:
        np.lib.format.write_array_header_1_0(file, facts)
        for slab in slabs:
            file.write(np.ascontiguousarray(slab, dtype=dtype).data)
            del slab  # before the next one is made

    write_atomically(Path(path), write)


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file beside its destination and rename it, so that a failure leaves the old one.

    Raises
    ------
    MediaError
        The destination cannot be written.
    """
    with _unfinished(path) as scratch:
        with scratch.open("wb") as file:
            write(file)
        scratch.replace(path)


def write_folder_atomically(path: Path, write: Callable[[Path], object], *, sign: str) -> None:
    """Fill a folder beside its destination and rename it, so that a failure leaves the old one.

    Parameters
    ----------
    write : is called with the empty folder to fill.
    sign : name of a file that tells a folder of this kind; nothing else is ever replaced.

    Raises
    ------
    MediaError
        The destination cannot be written, or is something else.
    """
    if path.exists() and not (path / sign).is_file():
        raise MediaError(
            f"cannot write {path}: it is there and no {path.suffix} folder; choose another name"
        )
    with _unfinished(path) as scratch:
        scratch.mkdir()
        write(scratch)
        earlier = path.with_name(f"{path.name}.{os.getpid()}.old")
        try:
            # A folder cannot be renamed onto a full one: the earlier result steps aside first.
            if path.exists():
                path.rename(earlier)
            scratch.rename(path)
        finally:
            if earlier.exists() and not path.exists():
                earlier.rename(path)
        shutil.rmtree(earlier, ignore_errors=True)


@contextlib.contextmanager
def _unfinished(path: Path) -> Iterator[Path]:
    """A name beside a destination for a result in the making; whatever is left there goes."""
    scratch = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        yield scratch
    except OSError as error:
        raise MediaError(
            f"cannot write {path}: {error.strerror or 'writing failed'}; "
            "choose a folder that exists, is writable and has space"
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        with contextlib.suppress(OSError):
            scratch.unlink(missing_ok=True)
