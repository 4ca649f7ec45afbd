"""GLB and GLTF files, read by trimesh; OBJ, STL, OFF and GLB files, written by it."""

from __future__ import annotations

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


def read_by_trimesh(path: Path) -> TriangleMesh:
    """Read a mesh; its scene is flattened and vertices of equal position are merged.

    Raises
    ------
    MeshError
        The file is damaged, cut short, of another format, or holds no faces.
    """
    import trimesh

    suffix = path.suffix.lower()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scene = trimesh.load_scene(path, process=False)
            whole = scene.to_mesh()
            vertices, faces = np.asarray(whole.vertices), np.asarray(whole.faces)
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
    """Write a mesh as ``file_type``, such as "obj"; comments and double precision are ignored."""
    import trimesh

    whole = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    options: dict[str, Any] = {}
    if file_type in ("obj", "off"):
        # The option counts decimals. Nine significant digits restore float32 exactly.
        largest = float(np.abs(mesh.vertices).max()) if len(mesh.vertices) else 1.0
        options["digits"] = max(8, 9 - math.floor(math.log10(largest))) if largest > 0 else 8
    if file_type == "obj":
        options["header"] = None
    content: Any = whole.export(file_type=file_type, **options)
    stream.write(content.encode() if isinstance(content, str) else content)


WRITERS = {
    ".obj": partial(write_by_trimesh, "obj"),
    ".stl": partial(write_by_trimesh, "stl"),
    ".off": partial(write_by_trimesh, "off"),
    ".glb": partial(write_by_trimesh, "glb"),
}
READERS = dict.fromkeys((".glb", ".gltf"), read_by_trimesh)
