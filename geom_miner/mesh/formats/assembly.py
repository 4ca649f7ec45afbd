"""From the vertices and polygons of a file to a triangle mesh, the same for every format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from geom_miner.errors import MeshError
from geom_miner.mesh.triangle_mesh import TriangleMesh

Ints = npt.NDArray[np.integer]
Floats = npt.NDArray[np.float64]
Anything = TypeVar("Anything", bound=np.generic)


@dataclass(frozen=True)
class Polygons:
    """Faces of any number of corners.

    Parameters
    ----------
    corners : vertex indices of all polygons, one polygon after another.
    lengths : (p,) number of corners of each polygon.
    """

    corners: Ints
    lengths: Ints


def mesh_of(
    path: Path, vertices: Floats, polygons: Polygons | Ints, notes: tuple[str, ...] = ()
) -> TriangleMesh:
    """Check what was read, cut polygons into triangles, and note what is left out.

    Faces of fewer than three corners are left out, and so are vertices that are not finite and
    that no face uses.

    Parameters
    ----------
    vertices : (v, 3)
    polygons : of any numbers of corners, or (p, corners) of one number.
    notes : what the reader has to say itself.

    Raises
    ------
    MeshError
        No faces are left, a vertex index is out of range, or a vertex that a face uses is not
        finite.
    """
    said = list(notes)
    if not isinstance(polygons, Polygons):
        corners = polygons.shape[1]
        if corners == 3:
            _check_indices(path, polygons, len(vertices))
            faces = as_indices(polygons)
        else:
            lengths = np.full(len(polygons), corners)
            polygons = Polygons(polygons.reshape(-1), lengths)
    if isinstance(polygons, Polygons):
        _check_indices(path, polygons.corners, len(vertices))
        faces = _triangles(vertices, polygons, said)
    if not len(faces):
        left_out = f" {' '.join(said)}" if said else ""
        raise MeshError(
            f"{path} holds no faces of three corners or more (a point cloud?); give a mesh whose "
            f"faces are polygons.{left_out}".removesuffix(".")
        )
    vertices, faces = _without_unused_nan(vertices, faces, said)
    return TriangleMesh(vertices, faces, tuple(said))


def as_indices(values: npt.NDArray[np.generic]) -> Ints:
    """Values as int32 if they fit, else int64; contiguous."""
    dtype = np.int32 if _fits_int32(values) else np.int64
    return np.ascontiguousarray(values, dtype=dtype)


def _fits_int32(values: npt.NDArray[np.generic]) -> bool:
    if not values.size or np.can_cast(values.dtype, np.int32):
        return True
    limits = np.iinfo(np.int32)
    return bool(values.min() >= limits.min and values.max() <= limits.max)


def _check_indices(path: Path, corners: Ints, vertices: int) -> None:
    if not corners.size:
        return
    low, high = int(corners.min()), int(corners.max())
    if low < 0 or high >= vertices:
        worst = high if high >= vertices else low
        raise MeshError(
            f"{path} is damaged: the vertex indices of its faces must lie in [0, {vertices}), got "
            f"{worst}; export it again"
        )


def _triangles(vertices: Floats, polygons: Polygons, said: list[str]) -> Ints:
    """Triangles of all polygons of three corners or more; what is left out is added to ``said``."""
    corners, lengths = polygons.corners, polygons.lengths
    short = lengths < 3
    if short.any():
        count = int(np.count_nonzero(short))
        said.append(f"{count:,} face(s) of fewer than three corners were left out.")
        corners = corners[np.repeat(~short, lengths)]
        lengths = lengths[~short]
    corners = as_indices(corners)
    if not (lengths > 3).any():
        return corners.reshape(-1, 3)
    # Numba is imported on first use.
    from geom_miner.compile_notice import announce_compiling
    from geom_miner.mesh.parsers.polygons import cut_polygons

    faces = np.empty((int(lengths.sum()) - 2 * len(lengths), 3), corners.dtype)
    with announce_compiling("the triangulation of polygons", 7):
        guesses = cut_polygons(
            np.ascontiguousarray(vertices, np.float64),
            corners,
            np.ascontiguousarray(lengths, np.int64),
            faces,
        )
    if guesses:
        said.append(
            f"{guesses:,} polygon(s) cross themselves or are too intricate, so that their "
            "triangles are a guess."
        )
    return faces


def _without_unused_nan(vertices: Floats, faces: Ints, said: list[str]) -> tuple[Floats, Ints]:
    """Without the vertices that are not finite and that no face uses."""
    # A sum is not finite if a term is not; it may also overflow, so this is only a first look.
    with np.errstate(all="ignore"):
        if np.isfinite(vertices.sum()):
            return vertices, faces
    finite = np.isfinite(vertices).all(axis=1)
    used = np.zeros(len(vertices), np.bool_)
    used[faces] = True
    kept = finite | used
    if kept.all():
        return vertices, faces
    count = int(np.count_nonzero(~kept))
    said.append(f"{count:,} vertices with NaN or infinity, which no face uses, were left out.")
    return vertices[kept], (np.cumsum(kept) - 1)[faces].astype(faces.dtype)
