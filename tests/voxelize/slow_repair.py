"""A slow, plain version of ``repair``, by sorting and by graphs of all faces."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.voxelize.winding import winding_numbers
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


def slowly_without_second_sides(mesh: TriangleMesh) -> TriangleMesh:
    """Without the later ones of the copies that cancel, where the first ones close a surface."""
    faces = slowly_merged(mesh).faces
    kept = np.ones(len(faces), dtype=bool)
    groups: dict[tuple[int, ...], list[int]] = {}
    for k, face in enumerate(faces.tolist()):
        groups.setdefault(tuple(sorted(face)), []).append(k)
    cancelling = []
    for members in groups.values():
        signs = [_orientation(faces[k].tolist()) for k in members]
        if len(members) > 1 and sum(signs) == 0:
            cancelling.append(members)
            kept[members[1:]] = False
    closed = np.zeros(len(faces), dtype=bool)
    closed[kept] = slow_closed_parts(TriangleMesh(mesh.vertices, mesh.faces[kept])) >= 0
    for members in cancelling:
        kept[members[1:]] = not closed[members[0]]
    return TriangleMesh(mesh.vertices, mesh.faces[kept])


def _orientation(face: list[int]) -> int:
    first = face.index(min(face))
    return 1 if face[(first + 1) % 3] < face[(first + 2) % 3] else -1


def slow_closed_parts(mesh: TriangleMesh) -> Ints:
    """The number of each face's closed part, in the order of first faces; -1 if it is open."""
    merged = slowly_merged(mesh)
    count = len(merged.faces)
    first, second, _ = _neighbors(merged.faces.astype(np.int64), len(merged.vertices))
    graph = coo_array((np.ones(len(first), dtype=np.int8), (first, second)), shape=(count, count))
    _, label = connected_components(graph.tocsr(), directed=False)
    sides = np.bincount(label[first], minlength=count) * 2
    closed = sides[label] == 3 * np.bincount(label, minlength=count)[label]
    numbers = {part: k for k, part in enumerate(dict.fromkeys(label[closed].tolist()))}
    return np.array([numbers[part] if ok else -1 for part, ok in zip(label, closed, strict=True)])


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


def slow_inverted_components(mesh: TriangleMesh) -> npt.NDArray[np.bool_]:
    """The faces of closed parts that face inwards and lie in no other, and of all parts in these.

    A part lies in another if exact winding numbers say so of points just inside all its faces.
    """
    merged = slowly_merged(mesh)
    labels = slow_closed_parts(mesh)
    parts = [
        TriangleMesh(merged.vertices, merged.faces[labels == k]) for k in range(max(labels) + 1)
    ]
    if not parts:
        return np.zeros(len(labels), dtype=bool)
    outermost = []
    for part in parts:
        around = [
            other
            for other in parts
            if abs(other.volume) > abs(part.volume)
            and (np.abs(winding_numbers(other, _points_inside(part), exact=True)) > 0.5).all()
        ]
        outermost.append(max([part, *around], key=lambda p: abs(p.volume)).volume)
    inverted = np.array(outermost) < 0
    if inverted.all():
        return np.zeros(len(labels), dtype=bool)
    return (labels >= 0) & inverted[labels]


def _points_inside(part: TriangleMesh) -> npt.NDArray[np.float64]:
    """Points near the corners and at the middle of each face, a millionth of its size inside."""
    corners = part.triangles
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normals, axis=1)
    corners, unit = corners[length > 0], normals[length > 0] / length[length > 0, None]
    weights = np.concatenate([np.full((1, 3), 1 / 3), 0.97 * np.eye(3) + 0.01])
    points = np.einsum("kc,fcx->fkx", weights, corners)
    low, high = part.bounds
    inwards = -1e-6 * float((high - low).max()) * np.sign(part.volume) * unit
    return np.asarray((points + inwards[:, None]).reshape(-1, 3))
