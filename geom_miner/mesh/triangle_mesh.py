"""The triangle mesh: vertices and faces, checked when it is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from geom_miner.errors import MeshError

if TYPE_CHECKING:
    from geom_miner.mesh.measures import Measures

# Vertices that are checked at once, which keeps temporary arrays small.
_SLAB = 1 << 16


@dataclass(frozen=True)
class TriangleMesh:
    """Triangles by vertex index; seen from outside, corners are in counter-clockwise order.

    Parameters
    ----------
    vertices : (v, 3) float64
        Positions in the mesh's own (world) units; finite.
    faces : (f, 3) int32 or int64
        Vertex indices in [0, v).
    notes : sentences on what a reader left out of the file or had to guess, for the user; each
        ends with a period. A mesh that is made from another one has none.

    Raises
    ------
    MeshError
        A shape is wrong, a position is not finite, or an index is out of range.
    """

    vertices: npt.NDArray[np.float64]
    faces: npt.NDArray[np.integer]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        vertices, faces = np.asarray(self.vertices), np.asarray(self.faces)
        if vertices.ndim != 2 or vertices.shape[1] != 3:
            raise MeshError(f"vertices must have shape (v, 3), got {vertices.shape}")
        if faces.ndim != 2 or faces.shape[1] != 3:
            raise MeshError(f"faces must have shape (f, 3), got {faces.shape}")
        if not np.issubdtype(faces.dtype, np.integer):
            raise MeshError(f"faces must be integers, got {faces.dtype}")
        if not all(
            np.isfinite(vertices[start : start + _SLAB]).all()
            for start in range(0, len(vertices), _SLAB)
        ):
            not_finite = int(np.count_nonzero(~np.isfinite(vertices).all(axis=1)))
            raise MeshError(
                f"vertices must be finite, got {not_finite} of {len(vertices)} with NaN or "
                "infinity; repair the mesh before using it"
            )
        if len(faces) and not (faces.min() >= 0 and faces.max() < len(vertices)):
            worst = int(faces.max()) if faces.max() >= len(vertices) else int(faces.min())
            raise MeshError(
                f"face indices must lie in [0, {len(vertices)}), got {worst}; the file is damaged"
            )
        object.__setattr__(self, "vertices", np.ascontiguousarray(vertices, dtype=np.float64))
        if faces.dtype not in (np.int32, np.int64):
            faces = faces.astype(np.int64)
        object.__setattr__(self, "faces", np.ascontiguousarray(faces))

    @property
    def triangles(self) -> npt.NDArray[np.float64]:
        """Corner positions, (f, 3, 3): face, corner, axis."""
        corners: npt.NDArray[np.float64] = self.vertices[self.faces]
        return corners

    @property
    def bounds(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Smallest and largest coordinates, (3,) each, of the vertices that faces use."""
        if not len(self.faces):
            raise MeshError("the mesh has no faces, so it has no bounds")
        # Numba is imported on first use.
        from geom_miner.mesh.measures import bounds_of_used

        low, high = bounds_of_used(self.vertices, self.faces)
        return low, high

    @property
    def area(self) -> float:
        """Surface area in squared world units."""
        return self._measures().area

    @property
    def volume(self) -> float:
        """Signed volume; meaningful if the mesh is closed, > 0 if faces point outwards."""
        return self._measures().volume

    def _measures(self) -> Measures:
        # Numba is imported on first use.
        from geom_miner.mesh.measures import measure_mesh

        return measure_mesh(self.vertices, self.faces)
