"""OBJ, STL and OFF files, written by trimesh."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import IO, Any

from geom_miner.mesh.precision import largest_of_mesh
from geom_miner.mesh.triangle_mesh import TriangleMesh

# Bytes of free text that a binary STL file begins with.
_STL_HEADER = 80


def write_by_trimesh(
    file_type: str,
    stream: IO[bytes],
    mesh: TriangleMesh,
    /,
    *,
    comments: Sequence[str] = (),
    double: bool = False,
) -> None:
    """Write a mesh as ``file_type``, such as "obj".

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
    lines = [line for text in comments for line in text.splitlines()]
    if file_type == "obj":
        options["header"] = "\n# ".join(lines) or None
    content: Any = whole.export(file_type=file_type, **options)
    if file_type == "off":
        content = content.replace("OFF\n", "OFF\n" + "".join(f"# {line}\n" for line in lines), 1)
    if file_type == "stl" and lines:
        # Readers take a header that begins with "solid" for text.
        header = f"binary STL, {lines[0]}".encode("ascii", "backslashreplace")
        content = header[:_STL_HEADER].ljust(_STL_HEADER, b"\0") + content[_STL_HEADER:]
    stream.write(content.encode() if isinstance(content, str) else content)


WRITERS = {
    ".obj": partial(write_by_trimesh, "obj"),
    ".stl": partial(write_by_trimesh, "stl"),
    ".off": partial(write_by_trimesh, "off"),
}
# Formats that store float32 only, and their names.
SINGLE_PRECISION = {".stl": "STL"}
