"""Point cloud files: PLY, text columns, and NumPy arrays.

No content is guessed and nothing is unpickled. Written files keep every digit of float64.
"""

from __future__ import annotations

import contextlib
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from eval.clouds.columns import cloud_of_columns, cloud_of_named_columns, parse_columns
from eval.clouds.point_cloud import PointCloud
from eval.clouds.text_table import read_text_table
from eval.errors import CloudError
from geom_miner.atomic_files import new_file
from geom_miner.errors import MeshError
from geom_miner.file_kinds import describe_wrong_kind
from geom_miner.media import read_npy
from geom_miner.mesh import count_ply_rows, read_ply_vertices

Floats = npt.NDArray[np.float64]
StrPath = str | os.PathLike[str]

Names = tuple[str, ...] | None

# What scanners write as PTS, by the number of columns.
_PTS_COLUMNS = {
    4: ("x", "y", "z", "intensity"),
    7: ("x", "y", "z", "intensity", "red", "green", "blue"),
}


def read_cloud(path: StrPath, columns: str | None = None) -> PointCloud:
    """Read a point cloud in the format of the file's extension.

    ``.ply``: the vertices x, y and optionally z, with normals if it has nx, ny (and nz); faces are
    ignored. ``.xyz``, ``.pts``, ``.asc``: one point per line, numbers separated by blanks, commas
    or semicolons; lines that begin with # or // are comments. ``.npy``: an array of numbers.
    ``.npz``: an array ``points`` (n, 2) or (n, 3) and optionally an array ``normals``.

    Text may begin with the number of points, or with names of its columns. Without names, a table
    has 3 columns (x y z) or 6 (x y z nx ny nz), in two dimensions 2 (x y) or 4 (x y nx ny). The
    last columns are taken as normals only where they have length 1; colors are left out, which the
    cloud's notes say.

    Parameters
    ----------
    columns : names of the columns of text or of an array, such as "x,y,z,nx,ny,nz,red"; those that
        are neither a position nor a normal are left out.

    Raises
    ------
    CloudError
        The file is missing, empty, damaged, of unknown format or columns, or its content is no
        ``PointCloud``. The message is one sentence that names the file and what to do.
    """
    path, names = Path(path), parse_columns(columns) if columns else None
    # Normals that overflow float64 become infinite and are refused.
    with _errors_that_name(path), np.errstate(over="ignore"):
        reader = READERS.get(path.suffix.lower())
        if reader is None:
            raise CloudError(describe_wrong_kind(path, {"point cloud": CLOUD_SUFFIXES}))
        return reader(path, names)


def write_cloud(path: StrPath, cloud: PointCloud) -> None:
    """Write a point cloud in a format that ``read_cloud`` reads, completely or not at all.

    Raises
    ------
    CloudError
        The extension is unknown, or the file cannot be written; an earlier file of this name is
        left as it was.
    """
    path = Path(path)
    writer = WRITERS[_check_suffix(path)]
    with new_file(path, CloudError) as stream:
        writer(stream, cloud)


def holds_cloud(path: StrPath) -> bool:
    """Whether a file is a point cloud: by its suffix, and a PLY file if its header has no faces.

    Raises
    ------
    CloudError
        A PLY file is missing, empty or damaged.
    """
    path = Path(path)
    if path.suffix.lower() != ".ply":
        return path.suffix.lower() in READERS
    with _errors_that_name(path):
        return not count_ply_rows(path).get("face", 0)


@contextlib.contextmanager
def _errors_that_name(path: Path) -> Iterator[None]:
    """Turn any error of reading a file into one sentence that names the file."""
    try:
        if path.is_dir():
            raise CloudError(f"{path} is a folder; give a point cloud file inside it")
        if path.stat().st_size == 0:
            raise CloudError(f"{path} is empty (0 bytes); copy or export it again")
        yield
    except FileNotFoundError as error:
        raise CloudError(f"{path} does not exist; check the path") from error
    except OSError as error:
        raise CloudError(f"{path} cannot be read: {error.strerror or error}") from error
    except MemoryError as error:
        raise CloudError(f"{path} does not fit into memory; take fewer of its points") from error
    except (CloudError, MeshError) as error:
        is_named = str(path) in str(error)
        raise CloudError(str(error) if is_named else f"{path}: {error}") from error


def _check_suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in WRITERS:
        raise CloudError(f"point cloud files must end in one of {', '.join(WRITERS)}, got {path}")
    return suffix


def _read_ply(path: Path, names: Names) -> PointCloud:
    _refuse_names(path, names)
    columns = read_ply_vertices(path)
    axes = [axis for axis in "xyz" if axis in columns]
    if axes[:2] != ["x", "y"]:
        raise CloudError(f"{path} has no vertices with x and y; export it again")
    normals = [columns[f"n{axis}"] for axis in axes if f"n{axis}" in columns]
    points = np.stack([columns[axis] for axis in axes], axis=1)
    return PointCloud(points, np.stack(normals, axis=1) if len(normals) == len(axes) else None)


def _read_text(path: Path, names: Names) -> PointCloud:
    table = read_text_table(path)
    names = names or table.names
    if names is None and path.suffix.lower() == ".pts":
        names = _PTS_COLUMNS.get(table.rows.shape[-1])
    return _from_table(table.rows, names)


def _read_npy(path: Path, names: Names) -> PointCloud:
    with _errors_of_parsing(path, "NPY", "numpy.save"):
        # Mapped into memory, so that a wrong header cannot cause a huge allocation.
        table = np.lib.format.open_memmap(path, mode="r")
    return _from_table(_to_float64(path, "the array", table), names)


def _read_npz(path: Path, names: Names) -> PointCloud:
    _refuse_names(path, names)
    arrays: dict[str, npt.NDArray[np.generic]] = {}
    with _errors_of_parsing(path, "NPZ", "numpy.savez"), zipfile.ZipFile(path) as archive:
        for name in ("points", "normals"):
            if f"{name}.npy" in archive.namelist():
                size = archive.getinfo(f"{name}.npy").file_size
                with archive.open(f"{name}.npy") as stream:
                    arrays[name] = read_npy(stream, size)
    if "points" not in arrays:
        raise CloudError(f"{path} has no array named points; save it with points=")
    points, normals = arrays["points"], arrays.get("normals")
    return PointCloud(
        _to_float64(path, "points", points),
        None if normals is None else _to_float64(path, "normals", normals),
    )


@contextlib.contextmanager
def _errors_of_parsing(path: Path, file_format: str, remedy: str) -> Iterator[None]:
    """Turn any error of parsing a file of arrays into one sentence."""
    try:
        yield
    except (OSError, MemoryError):
        raise
    except Exception as error:
        # The parsers of NumPy and zipfile raise many types of errors; all mean the same.
        raise CloudError(
            f"{path} is no complete {file_format} file of numbers (damaged, cut short, or Python "
            f"objects, which are not unpickled); save it again with {remedy}"
        ) from error


def _to_float64(path: Path, name: str, array: npt.NDArray[np.generic]) -> Floats:
    if array.dtype.kind not in "fiu":
        raise CloudError(f"{path}: {name} must hold real numbers, got {array.dtype}")
    return np.array(array, dtype=np.float64)


def _from_table(table: Floats, names: Names) -> PointCloud:
    return cloud_of_named_columns(table, names) if names else cloud_of_columns(table)


def _refuse_names(path: Path, names: Names) -> None:
    if names:
        raise CloudError(f"{path} names its columns itself; leave --columns out")


def _table(cloud: PointCloud) -> Floats:
    return np.hstack([cloud.points] if cloud.normals is None else [cloud.points, cloud.normals])


def _write_ply(stream: IO[bytes], cloud: PointCloud) -> None:
    table = _table(cloud)
    axes = "xyz"[: cloud.ndim]
    names = [*axes, *(f"n{axis}" for axis in axes)][: table.shape[1]]
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {len(cloud)}"]
    lines += [*(f"property double {name}" for name in names), "end_header", ""]
    stream.write("\n".join(lines).encode("ascii"))
    stream.write(np.ascontiguousarray(table, dtype="<f8").data)


def _write_xyz(stream: IO[bytes], cloud: PointCloud) -> None:
    np.savetxt(stream, _table(cloud), fmt="%.17g")


def _write_npy(stream: IO[bytes], cloud: PointCloud) -> None:
    np.save(stream, _table(cloud), allow_pickle=False)


def _write_npz(stream: IO[bytes], cloud: PointCloud) -> None:
    normals = {} if cloud.normals is None else {"normals": cloud.normals}
    np.savez(stream, allow_pickle=False, points=cloud.points, **normals)


READERS = {
    ".ply": _read_ply,
    **dict.fromkeys((".xyz", ".pts", ".asc"), _read_text),
    ".npy": _read_npy,
    ".npz": _read_npz,
}
WRITERS = {".ply": _write_ply, ".xyz": _write_xyz, ".npy": _write_npy, ".npz": _write_npz}
CLOUD_SUFFIXES = tuple(READERS)
