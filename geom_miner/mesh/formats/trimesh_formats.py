"""OBJ, STL, OFF, GLB and GLTF files, read and written by trimesh."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from geom_miner.errors import MeshError
from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.mesh.weld import merge_identical_vertices

# Bytes of free text that a binary STL file begins with.
_STL_HEADER = 80


def read_by_trimesh(path: Path) -> TriangleMesh:
    """Read a mesh; its scene is flattened and vertices of equal position are merged.

    Raises
    ------
    MeshError
        The file is damaged, cut short, of another format, or holds no faces.
    """
    import trimesh

    suffix = path.suffix.lower()
    options: dict[str, Any] = {"skip_materials": True} if suffix == ".obj" else {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scene = trimesh.load_scene(path, process=False, **options)
            whole = scene.to_mesh()
            vertices, faces = np.asarray(whole.vertices), np.asarray(whole.faces)
        announced = _faces_announced_by_off(path) if suffix == ".off" else 0
    except (OSError, MemoryError):
        raise
    except Exception as error:
        # The parsers of trimesh raise errors of every type. To a user all of them mean this.
        raise MeshError(
            f"{path} cannot be understood as {suffix[1:].upper()}; the file is damaged or of "
            "another format, export it again"
        ) from error
    if not len(faces):
        raise MeshError(f"{path} holds no faces (or is damaged); give a triangle mesh")
    if len(faces) < announced:
        raise MeshError(
            f"{path} is cut short: its header announces {announced:,} faces and it holds "
            f"{len(faces):,} triangles; copy or download it again"
        )
    return merge_identical_vertices(TriangleMesh(vertices, faces))


def write_by_trimesh(
    file_type: str,
    stream: IO[bytes],
    mesh: TriangleMesh,
    /,
    *,
    comments: Sequence[str] = (),
    double: bool = False,
) -> None:
    """Write a mesh as ``file_type``, such as "obj"; double precision is ignored."""
    import trimesh

    whole = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    options: dict[str, Any] = {}
    if file_type in ("obj", "off"):
        # The option counts decimals. Nine significant digits restore float32 exactly.
        largest = float(np.abs(mesh.vertices).max()) if len(mesh.vertices) else 1.0
        options["digits"] = max(8, 9 - math.floor(math.log10(largest))) if largest > 0 else 8
    lines = [line for text in comments for line in text.splitlines()]
    if file_type == "obj":
        options["header"] = "\n# ".join(lines) or None
    if file_type == "glb" and lines:
        options["tree_postprocessor"] = lambda tree: tree["asset"].update(generator=lines[0])
    content: Any = whole.export(file_type=file_type, **options)
    if file_type == "off":
        content = content.replace("OFF\n", "OFF\n" + "".join(f"# {line}\n" for line in lines), 1)
    if file_type == "stl" and lines:
        # Readers take a header that begins with "solid" for text.
        header = f"binary STL, {lines[0]}".encode("ascii", "backslashreplace")
        content = header[:_STL_HEADER].ljust(_STL_HEADER, b"\0") + content[_STL_HEADER:]
    stream.write(content.encode() if isinstance(content, str) else content)


def _faces_announced_by_off(path: Path) -> int:
    """Number of faces that the header of an OFF file announces; trimesh does not check it."""
    with open(path, encoding="latin-1") as stream:
        words = (word for line in stream for word in line.split("#")[0].split())
        numbers = [word for word in itertools.islice(words, 3) if not word.upper().endswith("OFF")]
    return int(numbers[1])


WRITERS = {
    ".obj": partial(write_by_trimesh, "obj"),
    ".stl": partial(write_by_trimesh, "stl"),
    ".off": partial(write_by_trimesh, "off"),
    ".glb": partial(write_by_trimesh, "glb"),
}
READERS = dict.fromkeys((*WRITERS, ".gltf"), read_by_trimesh)
