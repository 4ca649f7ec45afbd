"""Find the few faces that lie so far from all others that the others become small on a grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geom_miner.mesh.triangle_mesh import TriangleMesh

# Faces whose corners show where most of the surface lies; more would move the box little.
_SAMPLED_FACES = 1 << 10
# Share of these corners that may lie beyond the box of most corners, at each end of each axis.
_BEYOND = 0.1
# A corner is far if it lies more than this many sides away from that box. Dense detail on a coarse
# body is a few sides of its own away from the body's ends.
_FAR = 4.0
# Most faces that may be far, as a number and as a share of all; more are an object of their own.
_MOST_FACES, _MOST_SHARE = 20, 0.01


@dataclass(frozen=True)
class FarFaces:
    """The faces that lie far from the others."""

    faces: int
    """Faces with a corner far from most of the surface."""
    place: tuple[float, float, float]
    """The corner that lies farthest away, in world units."""
    share_of_others: float
    """Longest side of the bounding box of all other faces, as a share of that of all faces."""


def find_far_faces(mesh: TriangleMesh) -> FarFaces | None:
    """The few faces that make the bounding box several times as large as that of all others.

    Returns
    -------
    None if there are none, or more than a few.
    """
    if not len(mesh.faces):
        return None
    sampled = mesh.faces[:: max(1, len(mesh.faces) // _SAMPLED_FACES)]
    corners = np.sort(mesh.vertices[sampled].reshape(-1, 3), axis=0)
    beyond = int(_BEYOND * len(corners))
    low, high = corners[beyond], corners[len(corners) - 1 - beyond]
    reach = _FAR * float((high - low).max())
    low, high = low - reach, high + reach
    lowest, highest = mesh.bounds
    if not reach or ((lowest >= low).all() and (highest <= high).all()):
        return None
    is_far = ((mesh.vertices < low) | (mesh.vertices > high)).any(axis=1)[mesh.faces].any(axis=1)
    if not is_far.any() or is_far.sum() > max(_MOST_FACES, _MOST_SHARE * len(is_far)):
        return None
    far, near = mesh.vertices[mesh.faces[is_far]].reshape(-1, 3), mesh.faces[~is_far]
    near_low, near_high = TriangleMesh(mesh.vertices, near).bounds
    share = float((near_high - near_low).max() / (highest - lowest).max())
    distances = np.maximum(low - far, far - high).max(axis=1)
    x, y, z = far[distances.argmax()].tolist()
    return FarFaces(int(is_far.sum()), (x, y, z), share)
