"""The triangle mesh that every room shares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from geom_miner.errors import MeshError


@dataclass(frozen=True)
class TriangleMesh:
    """Triangles by vertex index; outward faces are counter-clockwise seen from outside.

    Parameters
    ----------
    vertices : (v, 3) float64
        Positions in the mesh's own (world) units; finite.
    faces : (f, 3) int32 or int64
        Vertex indices in [0, v).

    Raises
    ------
    MeshError
        Shapes are wrong, a used position is not finite, or an index is out of range.
    """

    vertices: npt.NDArray[np.float64]
    faces: npt.NDArray[np.integer]

    def __post_init__(self) -> None:
        vertices, faces = np.asarray(self.vertices), np.asarray(self.faces)
        if vertices.ndim != 2 or vertices.shape[1] != 3:
            raise MeshError(f"vertices must have shape (v, 3), got {vertices.shape}")
        if faces.ndim != 2 or faces.shape[1] != 3:
            raise MeshError(f"faces must have shape (f, 3), got {faces.shape}")
        if not np.issubdtype(faces.dtype, np.integer):
            raise MeshError(f"faces must be integers, got {faces.dtype}")
        if not np.isfinite(vertices).all():
            bad = int(np.count_nonzero(~np.isfinite(vertices).all(axis=1)))
            raise MeshError(
                f"{bad} of {len(vertices)} vertices are NaN or infinite; "
                "repair the mesh before using it"
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
        """Smallest and largest coordinate of the vertices that faces use, (3,) each."""
        if not len(self.faces):
            raise MeshError("the mesh has no faces, so it has no bounds")
        used = np.zeros(len(self.vertices), dtype=bool)
        used[self.faces] = True
        if used.all():
            return self.vertices.min(axis=0), self.vertices.max(axis=0)
        return self.vertices[used].min(axis=0), self.vertices[used].max(axis=0)

    @property
    def area(self) -> float:
        """Surface area in squared world units."""
        corners = self.triangles
        cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        return float(0.5 * np.linalg.norm(cross, axis=1).sum())

    @property
    def volume(self) -> float:
        """Signed volume by the divergence theorem; meaningful for closed meshes, > 0 outward."""
        if not len(self.faces):
            return 0.0
        corners = self.triangles - self.vertices[self.faces[0, 0]]
        return float(
            np.einsum("ij,ij->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6.0
        )
