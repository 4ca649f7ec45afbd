"""Find which closed parts of a mesh lie wholly inside others.

A point lies inside a part if the ray from it along z crosses the part an odd number of times. Faces
are listed by the cells of a lattice over x and y, so that a ray looks at few of them. As in
``voxelize.crossings``, whether an edge is crossed depends on its two ends alone, so parity is
exact.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from geom_miner.compiled_cache import njit
from geom_miner.mesh.closed_parts import ClosedParts, cross
from geom_miner.mesh.triangle_mesh import TriangleMesh

# Numba is untyped.
# mypy: disallow-untyped-decorators=False

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer]

# Parts that can contain one part; a shape nested more deeply keeps the orientation of its file.
_MOST_CONTAINERS = 64
# A point of a part is tested this far inside its surface, as a share of the part's longest side, so
# that a part that touches its container from inside counts as inside.
_INSET = 1e-6
# Cells that a face may lie over on average.
_MOST_CELLS = 16


def containers_of_parts(mesh: TriangleMesh, parts: ClosedParts) -> Ints:
    """For each closed part the largest part that wholly contains it, or its own number."""
    faces = np.flatnonzero(parts.labels >= 0)
    order = faces[np.argsort(parts.labels[faces], kind="stable")]
    stops = np.cumsum(np.bincount(parts.labels[order], minlength=len(parts.volumes)))
    low, high = mesh.bounds
    across = _cells_across(mesh, order)
    edges = np.maximum((high - low)[:2] / across, np.finfo(np.float64).tiny)
    starts, members = _list_faces(mesh.vertices, mesh.faces, order, low[:2], edges, across)
    containers = np.arange(len(parts.volumes))
    _find_containers(
        mesh.vertices,
        mesh.faces,
        (order, np.concatenate([[0], stops])),
        (parts.labels, parts.volumes),
        (starts, members, low[:2], edges, across),
        containers,
    )
    return containers


def _cells_across(mesh: TriangleMesh, listed: Ints) -> int:
    """About as many cells as faces, and fewer where faces would lie over many cells."""
    low, high = mesh.bounds
    corners = mesh.vertices[mesh.faces[listed]][..., :2]
    extents = np.ptp(corners, axis=1) / np.maximum((high - low)[:2], np.finfo(np.float64).tiny)
    across = max(1, int(np.sqrt(len(listed))))
    while across > 1 and (1 + across * extents).prod(axis=1).mean() > _MOST_CELLS:
        across //= 2
    return across


@njit(nogil=True, cache=True)
def _cell(position: float, low: float, edge: float, across: int) -> int:
    return int(min(max((position - low) / edge, 0.0), across - 1.0))


@njit(nogil=True, cache=True)
def _list_faces(
    vertices: Floats, faces: Ints, listed: Ints, low: Floats, edges: Floats, across: int
) -> tuple[Ints, Ints]:
    """List the faces over each cell of a square lattice, by a counting sort.

    Returns
    -------
    starts : (cells + 1,)
    members : faces of cell c at ``members[starts[c]:starts[c + 1]]``.
    """
    starts = np.zeros(across * across + 1, np.int64)
    members = np.empty(0, np.int64)
    for filling in range(2):
        if filling:
            for cell in range(across * across):
                starts[cell + 1] += starts[cell]
            members = np.empty(starts[-1], np.int64)
        for f in listed:
            a, b, c = vertices[faces[f, 0]], vertices[faces[f, 1]], vertices[faces[f, 2]]
            i0 = _cell(min(a[0], b[0], c[0]), low[0], edges[0], across)
            i1 = _cell(max(a[0], b[0], c[0]), low[0], edges[0], across)
            j0 = _cell(min(a[1], b[1], c[1]), low[1], edges[1], across)
            j1 = _cell(max(a[1], b[1], c[1]), low[1], edges[1], across)
            for i in range(i0, i1 + 1):
                for j in range(j0, j1 + 1):
                    if filling:
                        starts[i * across + j] -= 1
                        members[starts[i * across + j]] = f
                    else:
                        starts[i * across + j] += 1
    return starts, members


@njit(nogil=True, cache=True)
def _is_below(vertices: Floats, faces: Ints, f: int, x: float, y: float, z: float) -> bool:
    """Whether the ray from a point towards larger z crosses a face."""
    x0 = z0 = x1 = z1 = 0.0
    active, crossed = 0, False
    for corner in range(3):
        a, b = faces[f, corner], faces[f, (corner + 1) % 3]
        if (vertices[a, 1] <= y) == (vertices[b, 1] <= y):
            continue
        if vertices[b, 1] < vertices[a, 1]:
            a, b = b, a
        share = (y - vertices[a, 1]) / (vertices[b, 1] - vertices[a, 1])
        xe = vertices[a, 0] + share * (vertices[b, 0] - vertices[a, 0])
        xe = min(max(xe, min(vertices[a, 0], vertices[b, 0])), max(vertices[a, 0], vertices[b, 0]))
        ze = vertices[a, 2] + share * (vertices[b, 2] - vertices[a, 2])
        crossed ^= xe > x
        if active:
            x1, z1 = xe, ze
        else:
            x0, z0 = xe, ze
        active += 1
    if not crossed:
        return False
    height = z0 + (x - x0) * (z1 - z0) / (x1 - x0)
    return bool(min(max(height, min(z0, z1)), max(z0, z1)) > z)


@njit(nogil=True, cache=True)
def _find_containers(
    vertices: Floats,
    faces: Ints,
    grouped: tuple[Ints, Ints],
    parts: tuple[Ints, Floats],
    lattice: tuple[Ints, Ints, Floats, Floats, int],
    containers: Ints,
) -> None:
    """Overwrite the number of each part by that of the largest part around it, if there is one.

    Parameters
    ----------
    grouped : faces sorted by their part, and where each part starts.
    parts : label of each face, and volume of each part.
    lattice : returned by ``_list_faces``, and its arguments.
    """
    order, part_at = grouped
    volumes = parts[1]
    around = np.empty(_MOST_CONTAINERS, np.int64)
    is_odd = np.empty(_MOST_CONTAINERS, np.bool_)
    for part in range(len(volumes)):
        mine = order[part_at[part] : part_at[part + 1]]
        inset = _INSET * _longest_side(vertices, faces, mine)
        inset *= -1.0 if volumes[part] > 0 else 1.0
        count = -1
        for f in mine:
            a, b, c = vertices[faces[f, 0]], vertices[faces[f, 1]], vertices[faces[f, 2]]
            normal = cross(b - a, c - a)
            length = np.sqrt((normal * normal).sum())
            if length == 0.0:
                continue
            for k in range(4):
                # The middle of the face, and points near its corners.
                u = 1 / 3 if k == 0 else (0.98 if k == 1 else 0.01)
                v = 1 / 3 if k == 0 else (0.98 if k == 2 else 0.01)
                point = u * a + v * b + (1 - u - v) * c + inset / length * normal
                is_odd[:] = False
                found = _toggle(vertices, faces, point, part, count, parts, lattice, around, is_odd)
                count = 0
                for slot in range(found):
                    if is_odd[slot]:
                        around[count] = around[slot]
                        count += 1
                if count == 0:
                    break
            if count == 0:
                break
        for slot in range(max(count, 0)):
            if containers[part] == part or abs(volumes[around[slot]]) > abs(
                volumes[containers[part]]
            ):
                containers[part] = around[slot]


@njit(nogil=True, cache=True)
def _toggle(
    vertices: Floats,
    faces: Ints,
    point: Floats,
    part: int,
    count: int,
    parts: tuple[Ints, Floats],
    lattice: tuple[Ints, Ints, Floats, Floats, int],
    around: Ints,
    is_odd: npt.NDArray[np.bool_],
) -> int:
    """Toggle ``is_odd`` of a part in ``around`` for each of its faces above a point.

    Only larger parts count. A count below 0 collects them in ``around`` first.

    Returns
    -------
    Number of parts in ``around``.
    """
    labels, volumes = parts
    starts, members, low, edges, across = lattice
    cell = _cell(point[0], low[0], edges[0], across) * across
    cell += _cell(point[1], low[1], edges[1], across)
    collecting = count < 0
    count = max(count, 0)
    for m in range(starts[cell], starts[cell + 1]):
        f = members[m]
        label = labels[f]
        if abs(volumes[label]) <= abs(volumes[part]):
            continue
        if not _is_below(vertices, faces, f, point[0], point[1], point[2]):
            continue
        slot = 0
        while slot < count and around[slot] != label:
            slot += 1
        if slot == count:
            if not collecting or count == len(around):
                continue
            around[count] = label
            count += 1
        is_odd[slot] = not is_odd[slot]
    return count


@njit(nogil=True, cache=True)
def _longest_side(vertices: Floats, faces: Ints, listed: Ints) -> float:
    """Longest side of the bounding box of some faces."""
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for f in listed:
        for corner in range(3):
            low = np.minimum(low, vertices[faces[f, corner]])
            high = np.maximum(high, vertices[faces[f, corner]])
    return float((high - low).max())
