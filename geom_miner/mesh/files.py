"""Mesh files: PLY by our own fast path, OBJ, STL, OFF, GLB and GLTF through trimesh."""

from __future__ import annotations

import itertools
import math
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from geom_miner.atomic_files import new_file
from geom_miner.errors import MeshError
from geom_miner.mesh.ply import read_ply, write_ply
from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.mesh.weld import merge_identical_vertices

WRITABLE = (".ply", ".obj", ".stl", ".off", ".glb")
READABLE = (*WRITABLE, ".gltf")

StrPath = str | os.PathLike[str]


def read_mesh(path: StrPath) -> TriangleMesh:
    """Read a triangle mesh; polygons are cut into triangles.

    PLY comes back vertex for vertex. The other formats, or their reader, store a vertex several
    times where normals or textures change (STL: always), so vertices of bit-identical positions
    are merged. Scenes are flattened, each object placed by its transform.

    Raises
    ------
    MeshError
        The file is missing, empty, damaged, of unknown format, or holds no faces; one sentence
        that names the file and what to do.
    """
    path = Path(path)
    suffix = _known_suffix(path, READABLE)
    if path.is_dir():
        raise MeshError(f"{path} is a folder; give a mesh file inside it")
    try:
        if path.stat().st_size == 0:
            raise MeshError(f"{path} is empty (0 bytes); copy or export it again")
        mesh = read_ply(path) if suffix == ".ply" else _read_by_trimesh(path, suffix)
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
    """Write a mesh in the format of the file's extension, completely or not at all.

    Parameters
    ----------
    comments : lines for the header of a PLY file; other formats have no place for them.
    double : write PLY positions in float64 instead of float32.

    Raises
    ------
    MeshError
        The extension is unknown, or the file cannot be written; an earlier file of this name
        is left as it was.
    """
    path = Path(path)
    suffix = _known_suffix(path, WRITABLE)
    with new_file(path, MeshError) as stream:
        if suffix == ".ply":
            write_ply(stream, mesh, comments=comments, double=double)
        else:
            _write_by_trimesh(stream, mesh, suffix)


def _known_suffix(path: Path, known: tuple[str, ...]) -> str:
    suffix = path.suffix.lower()
    if suffix not in known and not path.is_dir():
        raise MeshError(
            f"{path} has the extension {suffix or '(none)'}; mesh files are {', '.join(known)}"
        )
    return suffix


def _read_by_trimesh(path: Path, suffix: str) -> TriangleMesh:
    import trimesh

    options: dict[str, Any] = {"skip_materials": True} if suffix == ".obj" else {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scene = trimesh.load_scene(path, process=False, **options)
            whole = scene.to_mesh()
            vertices, faces = np.asarray(whole.vertices), np.asarray(whole.faces)
        promised = _promised_off_faces(path) if suffix == ".off" else 0
    except (OSError, MemoryError):
        raise
    except Exception as error:
        # trimesh lets errors of every kind out of its parsers; to a user they all mean this.
        raise MeshError(
            f"{path} cannot be understood as {suffix[1:].upper()}; the file is damaged or of "
            "another format, export it again"
        ) from error
    if not len(faces):
        raise MeshError(f"{path} holds no faces (or is damaged); give a triangle mesh")
    if len(faces) < promised:
        raise MeshError(
            f"{path} is cut short: it promises {promised:,} faces and holds {len(faces):,} "
            "triangles; copy or download it again"
        )
    return merge_identical_vertices(TriangleMesh(vertices, faces))


def _promised_off_faces(path: Path) -> int:
    """Faces that the header of an OFF file promises; trimesh reads what is there and is content."""
    with open(path, encoding="latin-1") as stream:
        words = (word for line in stream for word in line.split("#")[0].split())
        numbers = [word for word in itertools.islice(words, 3) if not word.upper().endswith("OFF")]
    return int(numbers[1])


def _write_by_trimesh(stream: IO[bytes], mesh: TriangleMesh, suffix: str) -> None:
    import trimesh

    whole = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    options: dict[str, Any] = {}
    if suffix in (".obj", ".off"):
        # These two count decimals; nine significant digits bring float32 back exactly.
        reach = float(np.abs(mesh.vertices).max()) if len(mesh.vertices) else 1.0
        options["digits"] = max(8, 9 - math.floor(math.log10(reach))) if reach > 0 else 8
    if suffix == ".obj":
        options["header"] = None
    content: Any = whole.export(file_type=suffix[1:], **options)
    stream.write(content.encode() if isinstance(content, str) else content)
