"""Point cloud files: PLY, text columns, and NumPy arrays.

No content is guessed and nothing is unpickled. Written files keep every digit of float64.
"""

from __future__ import annotations

import contextlib
import math
import os
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from eval.clouds.point_cloud import PointCloud
from eval.errors import CloudError
from geom_miner.atomic_files import new_file
from geom_miner.errors import MeshError
from geom_miner.file_kinds import describe_wrong_kind
from geom_miner.mesh import count_ply_rows, read_ply_vertices

Floats = npt.NDArray[np.float64]
StrPath = str | os.PathLike[str]

# Number of columns of a table: how many of them are the position. The others are the normal.
_POSITION_COLUMNS = {2: 2, 3: 3, 4: 2, 6: 3}
_COMMENTS = ("#", "//")


def read_cloud(path: StrPath) -> PointCloud:
    """Read a point cloud in the format of the file's extension.

    ``.ply``: the vertices x, y and optionally z, with normals if it has nx, ny (and nz); faces are
    ignored. ``.xyz``: one point per line, numbers separated by blanks or commas; lines that begin
    with # or // are comments. ``.npy``: an array of numbers. These two have 3 columns (x y z) or 6
    (x y z nx ny nz), in two dimensions 2 (x y) or 4 (x y nx ny). ``.npz``: an array ``points``
    (n, 2) or (n, 3) and optionally an array ``normals``.

    Raises
    ------
    CloudError
        The file is missing, empty, damaged, of unknown format or columns, or its content is no
        ``PointCloud``. The message is one sentence that names the file and what to do.
    """
    path = Path(path)
    # Normals that overflow float64 become infinite and are refused.
    with _errors_that_name(path), np.errstate(over="ignore"):
        reader = READERS.get(path.suffix.lower())
        if reader is None:
            raise CloudError(describe_wrong_kind(path, {"point cloud": CLOUD_SUFFIXES}))
        return reader(path)


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


def _read_ply(path: Path) -> PointCloud:
    columns = read_ply_vertices(path)
    axes = [axis for axis in "xyz" if axis in columns]
    if axes[:2] != ["x", "y"]:
        raise CloudError(f"{path} has no vertices with x and y; export it again")
    normals = [columns[f"n{axis}"] for axis in axes if f"n{axis}" in columns]
    points = np.stack([columns[axis] for axis in axes], axis=1)
    return PointCloud(points, np.stack(normals, axis=1) if len(normals) == len(axes) else None)


def _read_xyz(path: Path) -> PointCloud:
    with _open_text(path) as stream, warnings.catch_warnings():
        # For an empty table NumPy warns and returns no rows.
        warnings.simplefilter("ignore", UserWarning)
        try:
            table = np.loadtxt((row for _, row in _rows(stream)), comments=None, ndmin=2)
        except ValueError as error:
            raise _describe_bad_line(path) from error
    if not np.isfinite(table).all():
        raise _describe_bad_line(path)
    return _from_table(table)


def _open_text(path: Path) -> IO[str]:
    return open(path, encoding="utf-8-sig", errors="replace")


def _rows(stream: IO[str]) -> Iterator[tuple[int, str]]:
    """The lines that hold a point, separated by blanks, with their line numbers from 1."""
    for number, line in enumerate(stream, 1):
        if line.strip() and not line.lstrip().startswith(_COMMENTS):
            yield number, line.replace(",", " ")


def _describe_bad_line(path: Path) -> CloudError:
    """The error for the first line that differs from the lines before it."""
    columns = None
    with _open_text(path) as stream:
        for number, line in _rows(stream):
            where, entries = f"{path}, line {number},", line.split()
            try:
                values = [float(entry) for entry in entries]
            except ValueError:
                text = line.strip()[:40]
                return CloudError(f"{where} is no row of numbers: {text!r}; correct or remove it")
            if not all(map(math.isfinite, values)):
                return CloudError(f"{where} holds NaN or infinity; remove that point")
            columns = columns or len(values)
            if len(values) != columns:
                return CloudError(
                    f"{where} has {len(values)} numbers where the lines before have {columns}; "
                    "the file is cut short or damaged, copy or export it again"
                )
    return CloudError(f"{path} is no table of numbers; export it again")


def _read_npy(path: Path) -> PointCloud:
    with _errors_of_parsing(path, "NPY", "numpy.save"):
        # Mapped into memory, so that a wrong header cannot cause a huge allocation.
        table = np.lib.format.open_memmap(path, mode="r")
    return _from_table(_to_float64(path, "the array", table))


def _read_npz(path: Path) -> PointCloud:
    arrays = {}
    with _errors_of_parsing(path, "NPZ", "numpy.savez"), zipfile.ZipFile(path) as archive:
        for name in ("points", "normals"):
            if f"{name}.npy" in archive.namelist():
                with archive.open(f"{name}.npy") as stream:
                    arrays[name] = np.lib.format.read_array(stream, allow_pickle=False)
    if "points" not in arrays:
        raise CloudError(f"{path} has no array named points; save it with points=")
    return PointCloud(**{name: _to_float64(path, name, array) for name, array in arrays.items()})


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


def _from_table(table: Floats) -> PointCloud:
    if not table.size:
        raise CloudError("there are no points; export it again")
    positions = _POSITION_COLUMNS.get(table.shape[1]) if table.ndim == 2 else None
    if positions is None:
        raise CloudError(
            "points must have 2 (x y), 3 (x y z), 4 (x y nx ny) or 6 (x y z nx ny nz) columns, "
            f"got an array of shape {table.shape}; remove the other columns"
        )
    return PointCloud(table[:, :positions], table[:, positions:] if table.shape[1] > 3 else None)


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


READERS = {".ply": _read_ply, ".xyz": _read_xyz, ".npy": _read_npy, ".npz": _read_npz}
WRITERS = {".ply": _write_ply, ".xyz": _write_xyz, ".npy": _write_npy, ".npz": _write_npz}
CLOUD_SUFFIXES = tuple(READERS)
