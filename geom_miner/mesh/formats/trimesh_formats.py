"""OBJ, STL and OFF files, read and written by trimesh."""

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
from geom_miner.mesh.precision import largest_of_mesh
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
    """Write a mesh as ``file_type``, such as "obj"; comments are ignored.

    Parameters
    ----------
    double : write 17 significant digits in texts instead of 9; STL is not asked for it.
    """
    import trimesh

    whole = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    options: dict[str, Any] = {}
    if file_type in ("obj", "off"):
        # The option counts decimals. Nine significant digits restore float32 exactly, 17 float64.
        largest = largest_of_mesh(mesh) or 1.0
        significant = 17 if double else 9
        options["digits"] = max(8, significant - math.floor(math.log10(largest)))
    if file_type == "obj":
        options["header"] = None
    content: Any = whole.export(file_type=file_type, **options)
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
}
READERS = dict.fromkeys(WRITERS, read_by_trimesh)
# Formats that store float32 only, and their names.
SINGLE_PRECISION = {".stl": "STL"}
