"""NPY and NPZ files of arrays, written atomically and without pickled objects."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from geom_miner.atomic_files import new_file
from geom_miner.errors import MediaError
from geom_miner.file_kinds import describe_wrong_kind, kind_of_file
from geom_miner.media.npy_stream import NpyError, read_npy
from geom_miner.outputs import sign_archive

NPY_SIGNATURE = np.lib.format.MAGIC_PREFIX
"""First bytes of every NPY file. The format has no place for the name of a program."""


def read_array(path: Path | str) -> npt.NDArray[np.float64]:
    """Read a numeric NPY file as float64.

    Raises
    ------
    MediaError
        The file is missing, cut short, no NPY file, or holds something other than numbers.
    """
    path = Path(path)
    if kind_of_file(path) not in (None, "array"):
        raise MediaError(describe_wrong_kind(path, {"array": (".npy",)}))
    try:
        with path.open("rb") as stream:
            array = read_npy(stream, path.stat().st_size)
    except OSError as error:
        raise MediaError(f"cannot read {path}: {error.strerror}; check the path") from error
    except NpyError as error:
        raise MediaError(
            f"{path} is not a whole NPY file of numbers ({error}); write it with numpy.save"
        ) from error
    return array.astype(np.float64)


def write_array(path: Path | str, array: npt.NDArray[np.generic]) -> None:
    """Write an NPY file."""
    with new_file(path, MediaError) as file:
        np.save(file, array, allow_pickle=False)


def write_archive(path: Path | str, **arrays: npt.NDArray[np.generic]) -> None:
    """Write a compressed NPZ file of named arrays."""
    with new_file(path, MediaError) as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
        sign_archive(file)


def write_array_in_slabs(
    path: Path | str,
    shape: tuple[int, ...],
    dtype: npt.DTypeLike,
    slabs: Iterable[npt.NDArray[np.generic]],
) -> None:
    """Write an NPY file of ``shape`` from its slabs in row-major order."""
    header = {
        "descr": np.lib.format.dtype_to_descr(np.dtype(dtype)),
        "fortran_order": False,
        "shape": shape,
    }
    with new_file(path, MediaError) as file:
        np.lib.format.write_array_header_1_0(file, header)
        for slab in slabs:
            file.write(np.ascontiguousarray(slab, dtype=dtype).data)
            # Free the slab's memory before the next one is computed.
            del slab
