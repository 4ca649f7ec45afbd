"""A slow, plain version of ``repair``, by sorting and by graphs of all faces."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from geom_miner.mesh.triangle_mesh import TriangleMesh
from tests.mesh.slow_diagnosis import slowly_merged

Ints = npt.NDArray[np.int64]


def slowly_without_duplicates(mesh: TriangleMesh) -> TriangleMesh:
    """One face for each set of corners, oriented like most of its copies.

    If as many copies face one way as the other, they cancel in parity and in winding numbers, and
    all of them stay.
    """
    faces = slowly_merged(mesh).faces
    corners = np.sort(faces, axis=1)
    order = np.lexsort(corners.T)
    ordered = corners[order]
    begins = np.concatenate([[True], (ordered[1:] != ordered[:-1]).any(axis=1)])
    group = np.empty(len(faces), dtype=np.int64)
    group[order] = np.cumsum(begins) - 1
    # With the smallest corner rotated to the front, the order of the other two is the orientation.
    rotated = np.take_along_axis(faces, (faces.argmin(axis=1)[:, None] + np.arange(3)) % 3, axis=1)
    sign = np.where(rotated[:, 1] < rotated[:, 2], 1, -1)
    net = np.bincount(group, weights=sign)[group]
    agreeing = np.flatnonzero((net != 0) & (sign == np.sign(net)))
    _, firsts = np.unique(group[agreeing], return_index=True)
    kept = net == 0
    kept[agreeing[firsts]] = True
    return TriangleMesh(mesh.vertices, mesh.faces[kept])


def slow_faces_to_flip(mesh: TriangleMesh) -> npt.NDArray[np.bool_]:
    """The faces whose flipping makes neighbors agree: in each patch, those of smaller total area.

    Two faces are neighbors if they share an edge that no third face has. A graph contains every
    face twice, as it is and flipped. Each state is linked to the state of the neighbor that agrees
    with it. The connected components of this graph are the patches, each in both orientations. A
    patch with only one side, such as a Möbius strip, links a face to its own flipped state and
    stays as it is.
    """
    merged = slowly_merged(mesh)
    count = len(merged.faces)
    first, second, agree = _neighbors(merged.faces.astype(np.int64), len(merged.vertices))
    other = np.where(agree, second, second + count)
    links = np.concatenate([first, first + count])
    ends = np.concatenate([other, (other + count) % (2 * count)])
    graph = coo_array(
        (np.ones(len(links), dtype=np.int8), (links, ends)), shape=(2 * count, 2 * count)
    )
    _, label = connected_components(graph.tocsr(), directed=False)
    kept, flipped = label[:count], label[count:]
    corners = merged.triangles
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.bincount(kept, weights=np.linalg.norm(normals, axis=1), minlength=label.max() + 1)
    # Faces agree with the copy of their patch that has the larger area. The label decides a tie, in
    # the same way for all faces of the patch.
    smaller = (area[kept] < area[flipped]) | ((area[kept] == area[flipped]) & (kept > flipped))
    return np.asarray(smaller, dtype=bool)


def _neighbors(faces: Ints, vertices: int) -> tuple[Ints, Ints, npt.NDArray[np.bool_]]:
    """Pairs of faces that share an edge which no third face has, and whether they agree."""
    start, stop = faces.reshape(-1), np.roll(faces, -1, axis=1).reshape(-1)
    edge = np.minimum(start, stop) * vertices + np.maximum(start, stop)
    # Faces with two equal corners have no neighbors.
    proper = np.flatnonzero(np.repeat((faces != np.roll(faces, 1, axis=1)).all(axis=1), 3))
    order = proper[np.argsort(edge[proper], kind="stable")]
    begins = np.flatnonzero(np.diff(edge[order], prepend=-1))
    pairs = begins[np.diff(begins, append=len(order)) == 2]
    a, b = order[pairs], order[pairs + 1]
    forward = start < stop
    return a // 3, b // 3, forward[a] != forward[b]
