"""Restore the sharp edges and corners that marching cubes cuts off from a signed distance.

Method after Attene, Falcidieno, Rossignac and Spagnuolo, "Sharpen & Bend: Recovering Curved Sharp
Edges in Triangle Meshes Produced by Feature-Insensitive Sampling" (2005): triangles are divided
where a sharp edge was cut off, and the new vertices are placed where the planes of its sides meet.
Dividing triangles keeps the mesh closed and preserves its topology.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
from scipy.spatial import cKDTree

from geom_miner.errors import SettingsError
from geom_miner.extract.creases import (
    Bools,
    Creases,
    Floats,
    Ints,
    Sides,
    dot,
    find_creases,
    find_sides,
    rings_of,
    sum_at,
    sum_at_corners,
    unit,
)
from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.progress import Progress, silent

# A crease may be near a vertex if the normals of its faces deviate from their mean by more than the
# crease angle over this divisor. The search for creases looks this many edges around such vertices.
_DEVIATION_DIVISOR, _RINGS = 6.0, 5
# Largest move of a vertex, and largest distance of a corner from the cut, in voxels.
_FARTHEST, _FARTHEST_CORNER = 1.0, 1.5
# Smallest cosine between the normal of a side and the direction out of the crease.
_STEEPEST = 0.25
# Three planes meet in a line, not in a corner, if their ratio of singular values is below this.
_LINE_RATIO = 0.15
# Smallest distance between vertices, in voxels, so that single precision keeps them distinct.
_MIN_DISTANCE = 2e-3
# A vertex that comes too close to another returns by this share of the way to its old position.
_RETURN_SHARE = 0.1
# How often the vertices of flipped faces are smoothed before they return to their old positions.
_RELAXATIONS = 2


def sharpen(
    mesh: TriangleMesh,
    voxel: float,
    *,
    angle: float = 30.0,
    progress: Progress = silent,
) -> TriangleMesh:
    """Give a marching-cubes mesh the sharp edges and corners of the shape it was made from.

    The mesh must come from a signed distance, as preset ``surface`` fits it. Away from edges its
    vertices must be exact to about 0.01 voxel. Triangles at sharp edges are divided, and vertices
    within about two voxels of a sharp edge move by up to one voxel. All other vertices stay bit
    for bit as they are, and the topology is preserved. No face is flipped that was not before.

    These features are not sharpened: bends of less than the angle; edges shorter than about five
    voxels; sides narrower than about three voxels; fillets with a radius of more than about a
    voxel (smaller ones cannot be distinguished from sharp edges); and surfaces without clear
    edges, such as most scans.

    Parameters
    ----------
    mesh : from ``extract_mesh`` or ``extract_level``.
    voxel : distance between neighboring samples, in world units.
    angle : an edge is sharp if its sides differ by at least this many degrees; in (0, 180).
    progress : called with the share of the work done, in (0, 1].

    Returns
    -------
    The mesh itself if it has no sharp edge. Otherwise a mesh that begins with the vertices of
    ``mesh``, in their order, and lists the faces of ``mesh`` that were not divided before the
    others.

    Raises
    ------
    SettingsError
        The voxel or the angle is out of range.
    """
    if not 0 < voxel < np.inf:
        raise SettingsError(f"voxel must be > 0 and finite, got {voxel}")
    if not 0 < angle < 180:
        raise SettingsError(f"angle must lie in (0, 180) degrees, got {angle}")

    near = _faces_near_bends(mesh, angle)
    if not near.any():
        return mesh
    used = np.zeros(len(mesh.vertices), dtype=bool)
    used[mesh.faces[near]] = True
    numbers, used = np.cumsum(used) - 1, np.flatnonzero(used)
    faces = numbers[mesh.faces[near]]
    origin = mesh.vertices[used[0]]
    vertices = (mesh.vertices[used] - origin) / voxel
    progress(0.25)
    rings = rings_of(faces, len(vertices))
    sides = find_sides(vertices, faces, rings)
    progress(0.5)
    creases = find_creases(vertices, faces, rings, sides, angle)
    if not len(creases.ends):
        return mesh
    progress(0.75)
    moved = _move_onto_sides(vertices, sides, creases)
    pieces, before, after = _divide_faces(faces, vertices, moved, sides, creases)
    after = _untangle(before, after, pieces, sides, len(vertices) + len(creases.ends))
    progress(1.0)
    numbers = np.append(used, len(mesh.vertices) + np.arange(len(after) - len(vertices)))
    changed = (before != after).any(axis=1)
    changed[len(vertices) :] = True
    result = np.concatenate([mesh.vertices, np.empty((len(after) - len(vertices), 3))])
    result[numbers[changed]] = after[changed] * voxel + origin
    return TriangleMesh(result, np.concatenate([mesh.faces[~near], numbers[pieces]]))


def _faces_near_bends(mesh: TriangleMesh, angle: float) -> Bools:
    """Faces within ``_RINGS`` edges of a vertex that may lie at a crease."""
    corners = mesh.triangles
    areas = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    count = len(mesh.vertices)
    sum_of_norms = sum_at_corners(np.linalg.norm(areas, axis=1, keepdims=True), mesh.faces, count)
    norm_of_sum = np.linalg.norm(sum_at_corners(areas, mesh.faces, count), axis=1)
    near = norm_of_sum < np.cos(np.radians(angle / _DEVIATION_DIVISOR)) * sum_of_norms[:, 0]
    for _ in range(_RINGS):
        near[mesh.faces[near[mesh.faces].any(axis=1)]] = True
    faces: Bools = near[mesh.faces].any(axis=1)
    return faces


def _move_onto_sides(vertices: Floats, sides: Sides, creases: Creases) -> Floats:
    """The vertices, with those beside a crease moved onto the planes of their sides."""
    near_end, far_end = creases.ends.T.ravel(), creases.ends[:, ::-1].T.ravel()
    beyond = sum_at(sides.normals[far_end], near_end, len(vertices))
    beside = np.unique(near_end)
    # Vertices that move straight out of the crease cannot overtake each other.
    out = unit(sides.normals[beside] + unit(beyond[beside]))
    steepness = np.maximum(dot(out, sides.normals[beside]), _STEEPEST)
    steps = -sides.heights(vertices[beside], beside) / steepness
    near = np.abs(steps) < _FARTHEST
    moved = vertices.copy()
    moved[beside[near]] += steps[near, None] * out[near]
    return moved


def _divide_faces(
    faces: Ints, vertices: Floats, moved: Floats, sides: Sides, creases: Creases
) -> tuple[Ints, Floats, Floats]:
    """Divide faces along creases.

    Returns
    -------
    Faces, then all vertices before and after they are placed on the creases: the old vertices, one
    vertex for each crease edge, and one for each face that three creases cross.
    """
    edges = creases.of_faces(faces, len(vertices))
    on_sides = np.where(edges >= 0, edges + len(vertices), -1)
    crossings = (edges >= 0).sum(axis=1)
    after = np.concatenate([moved, creases.points])
    before = np.concatenate([vertices, creases.cuts])
    pieces = [faces[crossings == 0]]

    (a, b, c), (ab, _, _) = _rotated_to_side(faces, on_sides, crossings == 1, np.argmax)
    pieces += [np.stack(piece, axis=1) for piece in ((a, ab, c), (ab, b, c))]

    (c, a, b), (_, ab, bc) = _rotated_to_side(faces, on_sides, crossings == 2, np.argmin)
    # The quadrilateral a, ab, bc, c is cut along its shorter diagonal.
    a_to_bc = np.linalg.norm(after[a] - after[bc], axis=1)
    ab_to_c = np.linalg.norm(after[ab] - after[c], axis=1)
    from_a = a_to_bc < ab_to_c
    pieces += [
        np.stack([ab, b, bc], axis=1),
        np.stack([a, ab, np.where(from_a, bc, c)], axis=1),
        np.stack([np.where(from_a, a, ab), bc, c], axis=1),
    ]

    corners, middles = faces[crossings == 3], on_sides[crossings == 3]
    tips = len(after) + np.arange(len(corners))
    for k in range(3):
        pieces.append(np.stack([corners[:, k], middles[:, k], tips], axis=1))
        pieces.append(np.stack([middles[:, k], corners[:, (k + 1) % 3], tips], axis=1))
    meeting_points = _meeting_points(after[middles].mean(axis=1), sides, corners)
    after = np.concatenate([after, meeting_points])
    before = np.concatenate([before, before[middles].mean(axis=1)])
    return np.concatenate(pieces), before, after


def _rotated_to_side(
    faces: Ints, on_sides: Ints, selection: Bools, first_side: Callable[..., Ints]
) -> tuple[Ints, Ints]:
    """Corners of the selected faces and vertices on their sides, (3, f) each, rotated.

    The side that ``first_side`` picks, from booleans of which sides are crossed, comes first.
    """
    order = (first_side(on_sides[selection] >= 0, axis=1)[:, None] + np.arange(3)) % 3
    return (
        np.take_along_axis(faces[selection], order, axis=1).T,
        np.take_along_axis(on_sides[selection], order, axis=1).T,
    )


def _meeting_points(points: Floats, sides: Sides, faces: Ints) -> Floats:
    """Where the planes of a face's three corners meet, as near as possible to a point of the face.

    The point itself is returned if the planes meet too far away.
    """
    normals = sides.normals[faces]
    heights = sides.heights(points[:, None], faces)
    steps = -np.einsum("fij,fj->fi", np.linalg.pinv(normals, rcond=_LINE_RATIO), heights)
    near = np.linalg.norm(steps, axis=1) < _FARTHEST_CORNER
    return np.where(near[:, None], points + steps, points)


def _untangle(
    before: Floats, after: Floats, faces: Ints, sides: Sides, first_corner: int
) -> Floats:
    """The vertices ``after``, smoothed or put back where faces are flipped or vertices collide."""
    positions, moved = after.copy(), (before != after).any(axis=1)
    near = np.zeros(len(after), dtype=bool)
    near[faces[moved[faces].any(axis=1)]] = True
    faces = faces[near[faces].any(axis=1)]
    # Every piece of a divided face has a corner of that face, whose side gives the outward normal.
    normals = np.concatenate([sides.normals, np.zeros((len(after) - len(sides.normals), 3))])
    outwards = normals[faces].sum(axis=1)
    flipped_before = _are_flipped(before, faces, outwards)
    for attempt in itertools.count():
        flipped = _are_flipped(positions, faces, outwards) & ~flipped_before
        colliding = _colliding(before, positions, moved)
        if not flipped.any() and not len(colliding):
            break
        positions[colliding] += _RETURN_SHARE * (before[colliding] - positions[colliding])
        near = np.zeros(len(after), dtype=bool)
        near[faces[flipped]] = True
        if attempt < _RELAXATIONS:
            near &= moved
            near[first_corner:] = False
            _relax(positions, near, faces, sides)
        else:
            near[faces[near[faces].any(axis=1)]] = True
            positions[near] = before[near]
    return positions


def _are_flipped(positions: Floats, faces: Ints, outwards: Floats) -> Bools:
    """Whether faces point inwards or have no area."""
    corners = positions[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return dot(normals, outwards) <= 0


def _colliding(before: Floats, positions: Floats, moved: Bools) -> Ints:
    """Moved vertices that are too close to another vertex but were not so close before."""
    pairs = cKDTree(positions).query_pairs(_MIN_DISTANCE, output_type="ndarray")
    distance_before = np.linalg.norm(before[pairs[:, 0]] - before[pairs[:, 1]], axis=1)
    distance = np.linalg.norm(positions[pairs[:, 0]] - positions[pairs[:, 1]], axis=1)
    colliding: Ints = np.unique(pairs[distance < distance_before / 2])
    return colliding[moved[colliding]]


def _relax(positions: Floats, movable: Bools, faces: Ints, sides: Sides) -> None:
    """Move vertices to the mean of their neighbors.

    An old vertex is then projected onto its own plane. A vertex on a crease uses only neighbors on
    the crease.
    """
    old = len(sides.normals)
    corner, following = faces.ravel(), faces[:, [1, 2, 0]].ravel()
    start, end = np.concatenate([corner, following]), np.concatenate([following, corner])
    used = movable[start] & ((start < old) | (end >= old))
    start, end = start[used], end[used]
    degree = np.bincount(start, minlength=len(positions))
    vertices = np.flatnonzero(degree)
    means = sum_at(positions[end], start, len(positions))[vertices] / degree[vertices, None]
    positions[vertices] = means
    on_sides = vertices[vertices < old]
    heights = sides.heights(positions[on_sides], on_sides)
    positions[on_sides] -= heights[:, None] * sides.normals[on_sides]
