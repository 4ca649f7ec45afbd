"""Closed meshes with known truth: sphere, torus, box. NumPy only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from geom_miner.mesh.triangle_mesh import TriangleMesh

_BOX_FACES = np.array(
    [
        *([0, 2, 3], [0, 3, 1]),
        *([4, 5, 7], [4, 7, 6]),
        *([0, 1, 5], [0, 5, 4]),
        *([2, 6, 7], [2, 7, 3]),
        *([0, 4, 6], [0, 6, 2]),
        *([1, 3, 7], [1, 7, 5]),
    ]
)


def box(
    low: npt.ArrayLike = (0.0, 0.0, 0.0), high: npt.ArrayLike = (1.0, 1.0, 1.0)
) -> TriangleMesh:
    """An axis-aligned box of 12 outward triangles."""
    corners = np.array([low, high], dtype=np.float64)
    bits = (np.arange(8)[:, None] >> np.array([2, 1, 0])) & 1
    vertices = corners[bits, np.arange(3)]
    return TriangleMesh(vertices, _outward(vertices, _BOX_FACES))


def sphere(
    radius: float = 1.0, center: npt.ArrayLike = (0.0, 0.0, 0.0), subdivisions: int = 3
) -> TriangleMesh:
    """An icosphere, inscribed: 20 * 4**subdivisions faces, every vertex on the sphere."""
    g = (1 + 5**0.5) / 2
    vertices = np.array([(s, t * g, 0) for s in (-1, 1) for t in (-1, 1)], dtype=np.float64)
    vertices = np.concatenate([np.roll(vertices, k, axis=1) for k in range(3)])
    gaps = np.linalg.norm(vertices[:, None] - vertices[None], axis=2)
    near = np.isclose(gaps, 2.0)
    faces = np.array(
        [
            (a, b, c)
            for a in range(12)
            for b in range(a + 1, 12)
            for c in range(b + 1, 12)
            if near[a, b] and near[b, c] and near[a, c]
        ]
    )
    vertices /= np.linalg.norm(vertices, axis=1, keepdims=True)
    for _ in range(subdivisions):
        vertices, faces = _subdivide(vertices, faces)
        vertices /= np.linalg.norm(vertices, axis=1, keepdims=True)
    return TriangleMesh(vertices * radius + np.asarray(center), _outward(vertices, faces))


def torus(
    major: float = 1.0,
    minor: float = 0.4,
    center: npt.ArrayLike = (0.0, 0.0, 0.0),
    *,
    major_segments: int = 96,
    minor_segments: int = 48,
) -> TriangleMesh:
    """A torus around the z axis, inscribed, of 2 * major_segments * minor_segments faces."""
    i, j = np.meshgrid(np.arange(major_segments), np.arange(minor_segments), indexing="ij")
    around, tube = 2 * np.pi * i / major_segments, 2 * np.pi * j / minor_segments
    ring = major + minor * np.cos(tube)
    vertices = np.stack(
        [ring * np.cos(around), ring * np.sin(around), minor * np.sin(tube)], axis=-1
    )

    def at(di: int, dj: int) -> npt.NDArray[np.int64]:
        return ((i + di) % major_segments) * minor_segments + (j + dj) % minor_segments

    corner, right, up, across = at(0, 0), at(1, 0), at(0, 1), at(1, 1)
    faces = np.concatenate(
        [
            np.stack([corner, right, across], axis=-1).reshape(-1, 3),
            np.stack([corner, across, up], axis=-1).reshape(-1, 3),
        ]
    )
    return TriangleMesh(vertices.reshape(-1, 3) + np.asarray(center), faces)


def joined(*meshes: TriangleMesh) -> TriangleMesh:
    """Several meshes as one, without merging anything."""
    starts = np.cumsum([0, *[len(m.vertices) for m in meshes[:-1]]])
    return TriangleMesh(
        np.concatenate([m.vertices for m in meshes]),
        np.concatenate([m.faces + s for m, s in zip(meshes, starts, strict=True)]),
    )


def _outward(
    vertices: npt.NDArray[np.float64], faces: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Turn the faces of a convex shape outwards."""
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    inward = np.einsum("ij,ij->i", normals, corners.mean(axis=1) - vertices.mean(axis=0)) < 0
    return np.where(inward[:, None], faces[:, ::-1], faces)


def _subdivide(
    vertices: npt.NDArray[np.float64], faces: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Split every face in four at the middles of its edges."""
    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    unique, inverse = np.unique(edges, axis=0, return_inverse=True)
    ab, bc, ca = (len(vertices) + inverse.reshape(-1, 3)).T
    a, b, c = faces.T
    split = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    vertices = np.concatenate([vertices, vertices[unique].mean(axis=1)])
    return vertices, np.concatenate([np.stack(s, axis=1) for s in split])
