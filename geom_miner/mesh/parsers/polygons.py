"""Cut polygons into triangles: convex ones into fans, all others by ear clipping.

A polygon is judged and cut in the plane that fits it best, whose normal is the sum over its edges
of Newell's formula. A polygon of n corners always becomes n - 2 triangles that use every corner, so
polygons that share edges become triangles that share them. See D. Eberly, "Triangulation by Ear
Clipping" (2002).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from geom_miner.compiled_cache import njit

# Numba is untyped.
# mypy: disallow-untyped-decorators=False, warn-return-any=False

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer]

# A corner is flat if twice the area of its triangle is at most this share of the polygon's.
# Rounding of float64 coordinates is a thousand times smaller.
_FLAT = 1e-12
# Steps that ear clipping may take for all polygons of a mesh together, and more for each corner. A
# step compares two corners; all of them together take about a second. Concave polygons of a few
# corners take 20 steps for each; without a limit one polygon of 100,000 corners could take hours.
_STEPS = 50_000_000
_STEPS_PER_CORNER = 100
# Corners that are tried beside an ear before its neighbors are.
_AHEAD = 16
# What an ear must be. If no corner meets one level the next one counts: no other corner in its
# triangle nor on its border; none in its triangle; no area; any corner.
_CLEAR, _TOUCHING, _EMPTY, _ANY = range(4)


@njit(nogil=True, cache=True)
def cut_polygons(vertices: Floats, corners: Ints, lengths: Ints, faces: Ints) -> int:
    """Write the triangles of all polygons to ``faces``, in order.

    Parameters
    ----------
    vertices : (v, 3)
    corners : vertex indices in [0, v) of all polygons, one polygon after another.
    lengths : (p,) number of corners of each polygon; at least 3.
    faces : (sum of lengths - 2, 3) receives the triangles.

    Returns
    -------
    Number of polygons whose triangles are a guess: they cross themselves, so that no triangles fill
    them, or the steps were used up.
    """
    longest = 0
    for length in lengths:
        longest = max(longest, length)
    points = np.empty((longest, 3))
    plane = np.empty((longest, 2))
    links = np.empty((longest, 2), np.int64)
    guesses, first, face = 0, 0, 0
    steps = _STEPS + _STEPS_PER_CORNER * len(corners)
    for length in lengths:
        convex = length == 3
        if not convex:
            for k in range(length):
                for axis in range(3):
                    origin = vertices[corners[first], axis]
                    points[k, axis] = vertices[corners[first + k], axis] - origin
            area = _project(points[:length], plane)
            convex = not 0 < area < np.inf or _is_convex(plane[:length], area * _FLAT)
        if convex:
            for k in range(1, length - 1):
                faces[face, 0] = corners[first]
                faces[face, 1], faces[face, 2] = corners[first + k], corners[first + k + 1]
                face += 1
        else:
            polygon, triangles = corners[first : first + length], faces[face : face + length - 2]
            guessed, steps = _clip_ears(
                plane[:length], area * _FLAT, links, polygon, triangles, steps
            )
            guesses += guessed
            face += length - 2
        first += length
    return guesses


@njit(nogil=True, cache=True)
def _project(points: Floats, plane: Floats) -> float:
    """Coordinates in the plane that fits best, counter-clockwise; twice the area."""
    count = len(points)
    normal = np.zeros(3)
    for k in range(count):
        here, there = points[k], points[k + 1 if k + 1 < count else 0]
        normal[0] += (here[1] - there[1]) * (here[2] + there[2])
        normal[1] += (here[2] - there[2]) * (here[0] + there[0])
        normal[2] += (here[0] - there[0]) * (here[1] + there[1])
    area = np.sqrt(normal[0] ** 2 + normal[1] ** 2 + normal[2] ** 2)
    if not 0 < area < np.inf:
        return area
    x, y, z = normal[0] / area, normal[1] / area, normal[2] / area
    # Axes of the plane; for a normal along an axis they are axes too, and nothing is rounded.
    if abs(z) >= abs(x) and abs(z) >= abs(y):
        length = np.sqrt(x * x + z * z)
        ax, ay, az = z / length, 0.0, -x / length
    elif abs(x) >= abs(y):
        length = np.sqrt(x * x + y * y)
        ax, ay, az = -y / length, x / length, 0.0
    else:
        length = np.sqrt(y * y + z * z)
        ax, ay, az = 0.0, -z / length, y / length
    bx, by, bz = y * az - z * ay, z * ax - x * az, x * ay - y * ax
    for k in range(count):
        px, py, pz = points[k, 0], points[k, 1], points[k, 2]
        plane[k, 0] = px * ax + py * ay + pz * az
        plane[k, 1] = px * bx + py * by + pz * bz
    return area


@njit(nogil=True, cache=True)
def _turn(plane: Floats, a: int, b: int, c: int) -> float:
    """Twice the signed area of a triangle: > 0 if it is counter-clockwise."""
    return (plane[b, 0] - plane[a, 0]) * (plane[c, 1] - plane[b, 1]) - (
        plane[b, 1] - plane[a, 1]
    ) * (plane[c, 0] - plane[b, 0])


@njit(nogil=True, cache=True)
def _is_convex(plane: Floats, flat: float) -> bool:
    """Whether every corner turns left and the fan around the first corner does not fold."""
    count = len(plane)
    for k in range(count):
        if not _turn(plane, k - 1 if k else count - 1, k, k + 1 if k + 1 < count else 0) > flat:
            return False
    fold = False
    for k in range(1, count - 1):
        fold |= not _turn(plane, 0, k, k + 1) > flat
    return not fold


@njit(nogil=True, cache=True)
def _bin_of(u: float, low: float, width: float, bins: int) -> int:
    """The bin of a coordinate, also of one so large that differences overflow."""
    place = (u - low) / width
    if not place > 0:
        return 0
    return int(place) if place < bins else bins - 1


@njit(nogil=True, cache=True)
def _bins(plane: Floats) -> tuple[float, float, Ints, Ints]:
    """Corners sorted into bins along u: the start and the width of the bins, ends, corners."""
    count = len(plane)
    bins = max(1, count // 4)
    low, high = plane[:, 0].min(), plane[:, 0].max()
    width = (high - low) / bins
    if not width > 0:
        width = 1.0
    ends = np.zeros(bins + 1, np.int64)
    for k in range(count):
        ends[_bin_of(plane[k, 0], low, width, bins) + 1] += 1
    for k in range(bins):
        ends[k + 1] += ends[k]
    members, cursor = np.empty(count, np.int64), ends[:-1].copy()
    for k in range(count):
        place = _bin_of(plane[k, 0], low, width, bins)
        members[cursor[place]] = k
        cursor[place] += 1
    return low, width, ends, members


@njit(nogil=True, cache=True)
def _clip_ears(
    plane: Floats, flat: float, links: Ints, polygon: Ints, triangles: Ints, steps: int
) -> tuple[bool, int]:
    """Cut one ear after another; whether a triangle is a guess, and the steps that are left.

    Parameters
    ----------
    flat : twice the area up to which a corner counts as flat.
    links : (n or more, 2) scratch: corners before and after each corner.
    polygon : (n,) vertex of each corner.
    triangles : (n - 2, 3) receives the vertices.
    steps : that may be taken.
    """
    count = len(plane)
    low, width, ends, members = _bins(plane)
    # Only corners that turn right or are flat can lie in an ear of a polygon.
    in_the_way = np.empty(count, np.bool_)
    for k in range(count):
        links[k, 0], links[k, 1] = k - 1 if k else count - 1, k + 1 if k + 1 < count else 0
    for k in range(count):
        in_the_way[k] = not _turn(plane, links[k, 0], k, links[k, 1]) > flat
    guess = False
    level, tried, here, left = _CLEAR if steps > 0 else _ANY, 0, 0, count
    before, after = links[here, 0], links[here, 1]
    for face in range(count - 2):
        neighbor = before
        while True:
            before, after = links[here, 0], links[here, 1]
            turn = _turn(plane, before, here, after)
            ear = level >= _ANY or (level == _EMPTY and abs(turn) <= flat)
            if level < _EMPTY and turn > flat:
                margin = -flat if level == _CLEAR else flat
                blocker, used = _find_blocker(
                    plane, before, here, after, in_the_way, low, width, ends, members, margin
                )
                ear, steps = blocker < 0, steps - used
            if ear:
                break
            tried, steps = tried + 1, steps - 1
            here = neighbor if tried == _AHEAD else after
            if tried >= left + _AHEAD:
                level, tried = level + 1, _AHEAD
            if steps < 0:
                level = _ANY
        guess |= level >= _ANY and abs(turn) > flat
        triangles[face, 0], triangles[face, 1] = polygon[before], polygon[here]
        triangles[face, 2] = polygon[after]
        links[before, 1], links[after, 0] = after, before
        in_the_way[here] = False
        left -= 1
        for k in (before, after):
            in_the_way[k] = not _turn(plane, links[k, 0], k, links[k, 1]) > flat
        # The corner after the next one: ears all around the polygon make better triangles than a
        # fan does.
        here, tried, level = links[after, 1], 0, _CLEAR if steps >= 0 else _ANY
    return guess, steps


@njit(nogil=True, cache=True)
def _find_blocker(
    plane: Floats,
    a: int,
    b: int,
    c: int,
    in_the_way: npt.NDArray[np.bool_],
    low: float,
    width: float,
    ends: Ints,
    members: Ints,
    margin: float,
) -> tuple[int, int]:
    """A corner in triangle a, b, c, more than ``margin`` inside, or -1; corners looked at."""
    first = min(plane[a, 0], plane[b, 0], plane[c, 0])
    last = max(plane[a, 0], plane[b, 0], plane[c, 0])
    bottom = min(plane[a, 1], plane[b, 1], plane[c, 1])
    top = max(plane[a, 1], plane[b, 1], plane[c, 1])
    bins = len(ends) - 1
    start = ends[_bin_of(first, low, width, bins)]
    stop = ends[_bin_of(last, low, width, bins) + 1]
    for i in range(start, stop):
        k = members[i]
        if not in_the_way[k] or k in (a, b, c):
            continue
        u, v = plane[k, 0], plane[k, 1]
        if u < first or u > last or v < bottom or v > top:
            continue
        if (
            (u == plane[a, 0] and v == plane[a, 1])
            or (u == plane[b, 0] and v == plane[b, 1])
            or (u == plane[c, 0] and v == plane[c, 1])
        ):
            continue
        if (
            _turn(plane, a, b, k) >= margin
            and _turn(plane, b, c, k) >= margin
            and _turn(plane, c, a, k) >= margin
        ):
            return k, i - start + 1
    return -1, stop - start
