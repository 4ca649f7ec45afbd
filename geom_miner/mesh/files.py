"""Read and write mesh files; the suffix chooses the format."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from geom_miner.atomic_files import new_file
from geom_miner.errors import MeshError
from geom_miner.file_formats import collect_formats
from geom_miner.file_kinds import describe_wrong_kind
from geom_miner.mesh.formats.contents import GZIP_SUFFIX
from geom_miner.mesh.formats.protocol import MeshReader, MeshWriter
from geom_miner.mesh.precision import float32_step, largest_of_mesh, mesh_needs_double
from geom_miner.mesh.triangle_mesh import TriangleMesh

READERS: dict[str, MeshReader] = collect_formats("geom_miner.mesh.formats", "READERS")
WRITERS: dict[str, MeshWriter] = collect_formats("geom_miner.mesh.formats", "WRITERS")
MESH_SUFFIXES = tuple(READERS)
WRITABLE_MESH_SUFFIXES = tuple(WRITERS)
# Names of the formats that cannot store positions more precisely than float32 does.
_SINGLE_PRECISION: dict[str, str] = collect_formats("geom_miner.mesh.formats", "SINGLE_PRECISION")

StrPath = str | os.PathLike[str]


def read_mesh(path: StrPath) -> TriangleMesh:
    """Read a triangle mesh; polygons are cut into triangles, concave ones by ear clipping.

    A PLY file keeps its vertices as they are. In the other formats a vertex is stored several
    times where normals or textures change (in STL always), so vertices of bit-identical position
    are merged. Scenes are flattened, each object placed by its transform. What a triangle mesh
    cannot hold is left out, and said in ``TriangleMesh.notes``. A file whose name ends in ``.gz``
    after the suffix of its format is decompressed, within a limit.

    Raises
    ------
    MeshError
        The file is missing, empty, damaged, of unknown format, or holds no faces. The message is
        one sentence that names the file and what to do.
    """
    path = Path(path)
    if path.is_dir():
        raise MeshError(f"{path} is a folder; give a mesh file inside it")
    reader = READERS.get(mesh_suffix(path))
    if reader is None:
        if not path.exists():
            raise MeshError(f"{path} does not exist; check the path")
        raise MeshError(describe_wrong_kind(path, {"mesh": MESH_SUFFIXES}))
    try:
        if path.stat().st_size == 0:
            raise MeshError(f"{path} is empty (0 bytes); copy or export it again")
        mesh = reader(path)
    except FileNotFoundError as error:
        raise MeshError(f"{path} does not exist; check the path") from error
    except OSError as error:
        raise MeshError(f"{path} cannot be read: {error.strerror or error}") from error
    except MemoryError as error:
        raise MeshError(f"{path} does not fit into memory; simplify or split it") from error
    except MeshError as error:
        if str(path) in str(error):
            raise
        raise MeshError(f"{path}: {error}") from error
    if not len(mesh.faces):
        raise MeshError(f"{path} holds no faces; give a triangle mesh")
    return mesh


def write_mesh(
    path: StrPath, mesh: TriangleMesh, *, comments: Sequence[str] = (), double: bool | None = None
) -> None:
    """Write a mesh in the format of the file's suffix, completely or not at all.

    Parameters
    ----------
    comments : lines for the header of a PLY, OBJ or OFF file; STL and GLB have room for the first.
    double : keep positions in double precision: PLY stores float64, GLB float32 relative to a
        float64 translation, OBJ and OFF 17 digits. By default where float32's step at the largest
        coordinate exceeds 1e-5 of the mesh's longest side.

    Raises
    ------
    MeshError
        The suffix is unknown, the format cannot keep the precision, or the file cannot be written.
        An earlier file of this name is left as it was.
    """
    path = Path(path)
    writer = WRITERS[_check_suffix(path)]
    double = mesh_needs_double(mesh) if double is None else double
    check_precision(path, largest_of_mesh(mesh), double=double)
    with new_file(path, MeshError) as stream:
        writer(stream, mesh, comments=comments, double=double)


def mesh_suffix(path: StrPath) -> str:
    """The suffix that says a mesh file's format, in lower case: that before ``.gz``, if any."""
    path = Path(path)
    if path.suffix.lower() == GZIP_SUFFIX:
        path = path.with_suffix("")
    return path.suffix.lower()


def check_precision(path: StrPath, largest: float, *, double: bool) -> None:
    """Refuse a file whose format stores float32 only, if that is too coarse.

    Parameters
    ----------
    largest : magnitude of the largest coordinate.
    double : whether float64 is needed.
    """
    name = _SINGLE_PRECISION.get(Path(path).suffix.lower())
    if name is not None and double:
        kept = ", ".join(s for s in WRITABLE_MESH_SUFFIXES if s not in _SINGLE_PRECISION)
        raise MeshError(
            f"{path} must keep coordinates up to {largest:,.6g} in double precision, and {name} "
            f"stores float32, with steps of {float32_step(largest):.2g} there; write one of "
            f"{kept}, or move the shape to the origin before"
        )


def _check_suffix(path: Path) -> str:
    """The suffix of a mesh file in lower case, if it can be written."""
    suffix = path.suffix.lower()
    if suffix not in WRITERS:
        raise MeshError(
            f"mesh files must end in one of {', '.join(WRITERS)}, got {path}; choose another name"
        )
    return suffix
