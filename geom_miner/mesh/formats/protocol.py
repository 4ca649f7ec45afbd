"""What the module of a mesh file format provides."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO, Protocol

from geom_miner.mesh.triangle_mesh import TriangleMesh


class MeshReader(Protocol):
    """Reads a mesh file; a file that cannot be used raises ``MeshError``."""

    def __call__(self, path: Path, /) -> TriangleMesh: ...


class MeshWriter(Protocol):
    """Writes a mesh to a stream.

    Parameters
    ----------
    comments : lines for the file's header, if the format has one.
    double : float32 is too coarse: keep positions in double precision.
    """

    def __call__(
        self, stream: IO[bytes], mesh: TriangleMesh, /, *, comments: Sequence[str], double: bool
    ) -> None: ...
