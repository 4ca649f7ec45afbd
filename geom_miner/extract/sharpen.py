"""Sharp edges and corners for what marching cubes makes of a signed distance.

After Attene, Falcidieno, Rossignac and Spagnuolo, "Sharpen & Bend: Recovering Curved Sharp Edges
in Triangle Meshes Produced by Feature-Insensitive Sampling" (2005): triangles are divided where a
sharp edge was cut off, and the new vertices are put where the planes of its sides meet. Dividing
triangles keeps the mesh closed and its topology what it was.
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
    gathered,
    rings_of,
    sums,
    unit,
)
from geom_miner.extract.isosurface import OnProgress
from geom_miner.mesh.triangle_mesh import TriangleMesh

# Where normals of faces lean from their mean by this share of the angle, a crease may be near,
# and all that is looked at to find it lies within so many edges.
_LEAN, _RINGS = 6.0, 5
# Vertices are moved no farther than this, and corners lie no farther from the cut: in voxels.
_FARTHEST, _FARTHEST_CORNER = 1.0, 1.5
# A side leans from the way out of a crease by this cosine at most.
_STEEPEST = 0.25
# Three planes meet in a line rather than a corner below this ratio of singular values.
_LINE = 0.15
# Vertices stay so far apart, in voxels, that single precision does not make them one.
_APART = 2e-3
# How much nearer to where they were vertices go that come too close to each other.
_WAY_BACK = 0.1
# How often turned faces are smoothed out before what they are made of is put back.
_RELAXATIONS = 2


def sharpen(
    mesh: TriangleMesh,
    voxel: float,
    *,
    angle: float = 30.0,
    on_progress: OnProgress | None = None,
) -> TriangleMesh:
    """Give a marching-cubes mesh the sharp edges and corners of the shape it was made from.

    The mesh must come from a signed distance, as preset ``surface`` fits it, with vertices right
    to about 0.01 voxel away from edges. Its triangles are divided and vertices within about two
    voxels of a sharp edge are moved by up to one; all others stay as they are, bit for bit, and
    so does the mesh's topology. No face is turned into the shape that was not before.

    Left as it is: what bends by less than the angle; edges shorter than about five voxels; sides
    narrower than about three; fillets of more than about a voxel, while those of less cannot be
    told from sharp edges; and whatever does not look like a sharp edge, as most of a scan.

    Parameters
    ----------
    mesh : from ``extract_mesh`` or ``extract_level``.
    voxel : distance of neighboring samples, world units.
    angle : degrees between the sides of an edge, from which on it is sharp; in (0, 180).
    on_progress : called with (steps done, steps in all).

    Returns
    -------
    The mesh itself if nothing is sharp. Otherwise its vertices come first, in their order, and
    its undivided faces come before the others.

    Raises
    ------
    SettingsError
        The voxel or the angle is out of range.
    """
    if not 0 < voxel < np.inf:
        raise SettingsError(f"voxel must be > 0 and finite, got {voxel}")
    if not 0 < angle < 180:
        raise SettingsError(f"angle must lie in (0, 180) degrees, got {angle}")

    def report(steps: int) -> None:
        if on_progress is not None:
            on_progress(steps, 4)

    near = _near_bends(mesh, angle)
    if not near.any():
        return mesh
    used = np.zeros(len(mesh.vertices), dtype=bool)
    used[mesh.faces[near]] = True
    numbers, used = np.cumsum(used) - 1, np.flatnonzero(used)
    faces = numbers[mesh.faces[near]]
    origin = mesh.vertices[used[0]]
    vertices = (mesh.vertices[used] - origin) / voxel
    report(1)
    rings = rings_of(faces, len(vertices))
    sides = find_sides(vertices, faces, rings)
    report(2)
    creases = find_creases(vertices, faces, rings, sides, angle)
    if not len(creases.ends):
        return mesh
    report(3)
    moved = _onto_sides(vertices, sides, creases)
    pieces, before, after = _divide(faces, vertices, moved, sides, creases)
    after = _untangle(before, after, pieces, sides, len(vertices) + len(creases.ends))
    report(4)
    numbers = np.append(used, len(mesh.vertices) + np.arange(len(after) - len(vertices)))
    changed = (before != after).any(axis=1)
    changed[len(vertices) :] = True
    everything = np.concatenate([mesh.vertices, np.empty((len(after) - len(vertices), 3))])
    everything[numbers[changed]] = after[changed] * voxel + origin
    return TriangleMesh(everything, np.concatenate([mesh.faces[~near], numbers[pieces]]))


def _near_bends(mesh: TriangleMesh, angle: float) -> Bools:
    """Which faces may have to do with a crease."""
    corners = mesh.triangles
    areas = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    whole = sums(np.linalg.norm(areas, axis=1, keepdims=True), mesh.faces, len(mesh.vertices))
    total = np.linalg.norm(sums(areas, mesh.faces, len(mesh.vertices)), axis=1)
    near = total < np.cos(np.radians(angle / _LEAN)) * whole[:, 0]
    for _ in range(_RINGS):
        near[mesh.faces[near[mesh.faces].any(axis=1)]] = True
    faces: Bools = near[mesh.faces].any(axis=1)
    return faces


def _onto_sides(vertices: Floats, sides: Sides, creases: Creases) -> Floats:
    """The vertices, with those beside a crease on their sides' planes."""
    one, two = creases.ends.T.ravel(), creases.ends[:, ::-1].T.ravel()
    beyond = gathered(sides.normals[two], one, len(vertices))
    beside = np.unique(one)
    # Straight out of the crease, vertices cannot overtake each other.
    out = unit(sides.normals[beside] + unit(beyond[beside]))
    steepness = np.maximum(dot(out, sides.normals[beside]), _STEEPEST)
    steps = -sides.heights(vertices[beside], beside) / steepness
    near = np.abs(steps) < _FARTHEST
    moved = vertices.copy()
    moved[beside[near]] += steps[near, None] * out[near]
    return moved


def _divide(
    faces: Ints, vertices: Floats, moved: Floats, sides: Sides, creases: Creases
) -> tuple[Ints, Floats, Floats]:
    """Divide faces along creases.

    Returns
    -------
    Faces, then all vertices before and after they are put on the creases: those there were, one
    for each crease edge, and one for each face that three creases cross.
    """
    slots = creases.of_faces(faces, len(vertices))
    on_sides = np.where(slots >= 0, slots + len(vertices), -1)
    crossings = (slots >= 0).sum(axis=1)
    after = np.concatenate([moved, creases.points])
    before = np.concatenate([vertices, creases.cuts])
    pieces = [faces[crossings == 0]]

    (a, b, c), (ab, _, _) = _from_side(faces, on_sides, crossings == 1, np.argmax)
    pieces += [np.stack(piece, axis=1) for piece in ((a, ab, c), (ab, b, c))]

    (c, a, b), (_, ab, bc) = _from_side(faces, on_sides, crossings == 2, np.argmin)
    short = np.linalg.norm(after[a] - after[bc], axis=1) < np.linalg.norm(
        after[ab] - after[c], axis=1
    )
    pieces += [
        np.stack([ab, b, bc], axis=1),
        np.stack([a, ab, np.where(short, bc, c)], axis=1),
        np.stack([np.where(short, a, ab), bc, c], axis=1),
    ]

    whole, rim = faces[crossings == 3], on_sides[crossings == 3]
    tips = len(after) + np.arange(len(whole))
    for k in range(3):
        pieces.append(np.stack([whole[:, k], rim[:, k], tips], axis=1))
        pieces.append(np.stack([rim[:, k], whole[:, (k + 1) % 3], tips], axis=1))
    after = np.concatenate([after, _corners(after[rim].mean(axis=1), sides, whole)])
    before = np.concatenate([before, before[rim].mean(axis=1)])
    return np.concatenate(pieces), before, after


def _from_side(
    faces: Ints, on_sides: Ints, which: Bools, first: Callable[..., Ints]
) -> tuple[Ints, Ints]:
    """Corners and vertices on the sides of some faces, (3, f) each, from a side on."""
    order = (first(on_sides[which] >= 0, axis=1)[:, None] + np.arange(3)) % 3
    return (
        np.take_along_axis(faces[which], order, axis=1).T,
        np.take_along_axis(on_sides[which], order, axis=1).T,
    )


def _corners(points: Floats, sides: Sides, faces: Ints) -> Floats:
    """Where the planes of three sides meet, nearest to a point if that is a line."""
    normals = sides.normals[faces]
    heights = sides.heights(points[:, None], faces)
    steps = -np.einsum("fij,fj->fi", np.linalg.pinv(normals, rcond=_LINE), heights)
    near = np.linalg.norm(steps, axis=1) < _FARTHEST_CORNER
    return np.where(near[:, None], points + steps, points)


def _untangle(
    before: Floats, after: Floats, faces: Ints, sides: Sides, first_corner: int
) -> Floats:
    """The vertices after, smoothed or put back where faces were turned or vertices met."""
    place, moved = after.copy(), (before != after).any(axis=1)
    near = np.zeros(len(after), dtype=bool)
    near[faces[moved[faces].any(axis=1)]] = True
    faces = faces[near[faces].any(axis=1)]
    one, two = faces.ravel(), faces[:, [1, 2, 0]].ravel()
    # Every part of a divided face has a corner of the face, which says where its side looks.
    normals = np.concatenate([sides.normals, np.zeros((len(after) - len(sides.normals), 3))])
    outwards = normals[faces].sum(axis=1)
    turned = _turned(before, faces, outwards)
    for attempt in itertools.count():
        wrong = _turned(place, faces, outwards) & ~turned
        pressed = _pressed(before, place, moved)
        if not wrong.any() and not len(pressed):
            break
        place[pressed] += _WAY_BACK * (before[pressed] - place[pressed])
        near = np.zeros(len(after), dtype=bool)
        near[faces[wrong]] = True
        if attempt < _RELAXATIONS:
            near &= moved
            near[first_corner:] = False
            _relax(place, near, one, two, sides)
        else:
            near[faces[near[faces].any(axis=1)]] = True
            place[near] = before[near]
    return place


def _turned(place: Floats, faces: Ints, outwards: Floats) -> Bools:
    """The faces that look into the shape, or have no area."""
    corners = place[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return dot(normals, outwards) <= 0


def _pressed(before: Floats, place: Floats, moved: Bools) -> Ints:
    """Moved vertices that are too close to another one, though they were not before."""
    pairs = cKDTree(place).query_pairs(_APART, output_type="ndarray")
    apart = np.linalg.norm(before[pairs[:, 0]] - before[pairs[:, 1]], axis=1)
    now = np.linalg.norm(place[pairs[:, 0]] - place[pairs[:, 1]], axis=1)
    met: Ints = np.unique(pairs[now < apart / 2])
    return met[moved[met]]


def _relax(place: Floats, movable: Bools, one: Ints, two: Ints, sides: Sides) -> None:
    """Put vertices amid their neighbors: on their own plane, or amid those on the crease."""
    old = len(sides.normals)
    start, end = np.concatenate([one, two]), np.concatenate([two, one])
    use = movable[start] & ((start < old) | (end >= old))
    start, end = start[use], end[use]
    degree = np.bincount(start, minlength=len(place))
    which = np.flatnonzero(degree)
    place[which] = gathered(place[end], start, len(place))[which] / degree[which, None]
    flat = which[which < old]
    place[flat] -= sides.heights(place[flat], flat)[:, None] * sides.normals[flat]
