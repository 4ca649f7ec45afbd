"""Read and write mesh files; the suffix chooses the format."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from geom_miner.atomic_files import new_file
from geom_miner.errors import MeshError
from geom_miner.file_formats import collect_formats
from geom_miner.mesh.formats.protocol import MeshReader, MeshWriter
from geom_miner.mesh.triangle_mesh import TriangleMesh

READERS: dict[str, MeshReader] = collect_formats("geom_miner.mesh.formats", "READERS")
WRITERS: dict[str, MeshWriter] = collect_formats("geom_miner.mesh.formats", "WRITERS")
MESH_SUFFIXES = tuple(READERS)
WRITABLE_MESH_SUFFIXES = tuple(WRITERS)

StrPath = str | os.PathLike[str]


def read_mesh(path: StrPath) -> TriangleMesh:
    """Read a triangle mesh; polygons are cut into triangles.

    A PLY file keeps its vertices as they are. In the other formats a vertex is stored several
    times where normals or textures change (in STL always), so vertices of bit-identical position
    are merged. Scenes are flattened, each object placed by its transform.

    Raises
    ------
    MeshError
        The file is missing, empty, damaged, of unknown format, or holds no faces. The message is
        one sentence that names the file and what to do.
    """
    path = Path(path)
    if path.is_dir():
        raise MeshError(f"{path} is a folder; give a mesh file inside it")
    reader = READERS[_check_suffix(path, MESH_SUFFIXES)]
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
    path: StrPath, mesh: TriangleMesh, *, comments: Sequence[str] = (), double: bool = False
) -> None:
    """Write a mesh in the format of the file's suffix, completely or not at all.

    Parameters
    ----------
    comments : lines for the header of a PLY, OBJ or OFF file; STL and GLB have room for the first.
    double : write PLY positions in float64 instead of float32.

    Raises
    ------
    MeshError
        The suffix is unknown, or the file cannot be written. An earlier file of this name is left
        as it was.
    """
    path = Path(path)
    writer = WRITERS[_check_suffix(path, WRITABLE_MESH_SUFFIXES)]
    with new_file(path, MeshError) as stream:
        writer(stream, mesh, comments=comments, double=double)


def _check_suffix(path: Path, suffixes: tuple[str, ...]) -> str:
    """The suffix of a mesh file in lower case, if it is one of ``suffixes``."""
    suffix = path.suffix.lower()
    if suffix not in suffixes:
        raise MeshError(
            f"mesh files must end in one of {', '.join(suffixes)}, got {path}; "
            "convert the mesh or rename the file"
        )
    return suffix
