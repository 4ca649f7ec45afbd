"""Compute the truncated signed distance (TSDF) to a surface, exactly within a band around it.

Within the truncation band a sample holds its distance to the nearest triangle, in samples,
positive inside. Beyond the band it holds the band's width with its sign. So does a sample whose
neighborhood lies all on one side: a face there does not bound the inside, such as a face inside
overlapping solids. Only blocks that the band reaches are visited, each with the triangles that
come within the band of it.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from numba import parallel_chunksize, prange
from torch import Tensor

from geom_miner.compiled_cache import njit
from geom_miner.grid.sparse import CHUNK_SAMPLES, SparseBlocks

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer]

# A triangle with an edge of length 1 is a sliver if its height is less than about this.
_SLIVER = 1e-6


def signed_distance(
    vertices: Floats, faces: Ints, inside: SparseBlocks, shape: tuple[int, int, int], *, band: float
) -> SparseBlocks:
    """Signed distances to the surface, in samples, positive inside, truncated at ``band``.

    Parameters
    ----------
    vertices : (v, 3), in sample units (``SampleGrid.world_to_index``).
    faces : (f, 3) vertex indices; their orientation does not matter.
    inside : occupancy of the samples, which gives the sign.
    shape : samples per axis of the grid that ``inside`` covers; padding repeats its last samples.
    band : half width of the truncation band, > 0.

    Returns
    -------
    Blocks of float32, one channel. Where occupancy is inside (outside), the value is > 0 (< 0).
    Its magnitude is the band where no sample within ``band`` along every axis is on the other
    side.
    """
    layout = inside.layout
    vertices = np.ascontiguousarray(vertices, dtype=np.float64)
    faces = np.ascontiguousarray(faces, dtype=np.int32)
    counts, edge = np.array(layout.counts), layout.block_shape[0]
    last = np.array(shape) - 1
    starts, members = _bin_faces(vertices, faces, counts, edge, float(band))
    visited = (np.diff(starts) > 0).reshape(layout.counts)
    # Where the inside test bridged a hole, inside may end far from any triangle.
    visited |= inside.is_varying.numpy()
    coordinates = np.argwhere(visited)
    squares = np.full((len(coordinates), layout.block_samples), band**2, dtype=np.float32)
    with parallel_chunksize(1):
        _lower_to_nearest(
            vertices, faces, starts, members, coordinates, counts, edge, last, band, squares
        )
    return _with_signs(np.sqrt(squares, out=squares), coordinates, inside, shape, band)


def _with_signs(
    distance: npt.NDArray[np.float32],
    coordinates: Ints,
    inside: SparseBlocks,
    shape: tuple[int, int, int],
    band: float,
) -> SparseBlocks:
    """Truncated signed distances, from the distances (block, sample) in the visited blocks."""
    layout = inside.layout
    ids, order = layout.ids_of(torch.from_numpy(coordinates)).sort()
    values = torch.from_numpy(distance)[order]
    # A distance of 0 has no sign, and a sample on the surface must keep the side of its occupancy.
    values.clamp_(min=float(np.finfo(np.float32).tiny))
    values[~_near_other_side(inside, ids, shape, math.ceil(band))] = band
    values *= 2 * inside.read_blocks(ids)[..., 0] - 1
    varies = (values != values[:, :1]).any(dim=1)
    constants = band * (2 * inside.constants.float() - 1)
    constants[tuple(layout.coordinates_of(ids[~varies]).T)] = values[~varies, :1]
    return SparseBlocks(layout, ids[varies], values[varies][..., None], constants)


def _near_other_side(
    inside: SparseBlocks, ids: Tensor, shape: tuple[int, int, int], reach: int
) -> Tensor:
    """Whether a sample on the other side lies within ``reach`` samples along every axis.

    Faces far from such samples do not bound the inside: faces inside overlapping solids, and
    sheets that fall between samples. Beyond the grid everything is outside; padding repeats the
    last samples.

    Returns
    -------
    (q, sample) bool, for the samples of the blocks ``ids``.
    """
    layout = inside.layout
    extent = tuple(n + 2 * reach for n in layout.block_shape)
    near = torch.empty(len(ids), layout.block_samples, dtype=torch.bool)
    chunk = max(1, CHUNK_SAMPLES // math.prod(extent))
    for first in range(0, len(ids), chunk):
        starts = layout.starts_of(ids[first : first + chunk]) - reach
        box = inside.read(starts, extent).reshape(len(starts), 1, *extent)
        for axis, (count, size) in enumerate(zip(extent, shape, strict=True)):
            index = starts[:, axis, None] + torch.arange(count)
            view = [len(starts), 1, 1, 1, 1]
            view[axis + 2] = count
            box *= ((index >= 0) & (index < size)).reshape(view)
        window = 2 * reach + 1
        highest = torch.nn.functional.max_pool3d(box, window, stride=1)
        lowest = -torch.nn.functional.max_pool3d(-box, window, stride=1)
        both_sides = (highest != lowest)[:, 0]
        for axis, (count, size) in enumerate(zip(layout.block_shape, shape, strict=True)):
            begin = starts[:, axis, None] + reach
            last = (begin + torch.arange(count)).clamp(max=size - 1) - begin
            view = [len(starts), 1, 1, 1]
            view[axis + 1] = count
            both_sides = both_sides.gather(axis + 1, last.reshape(view).expand_as(both_sides))
        near[first : first + chunk] = both_sides.reshape(len(starts), -1)
    return near


@njit(cache=True, nogil=True)
def _blocks_near(
    vertices: Floats, faces: Ints, f: int, counts: Ints, edge: int, band: float, axis: int
) -> tuple[int, int]:
    """Blocks [first, stop) along an axis whose samples lie within the band of a face's extent."""
    a = vertices[faces[f, 0], axis]
    b = vertices[faces[f, 1], axis]
    c = vertices[faces[f, 2], axis]
    first = np.floor((np.ceil(min(a, b, c) - band)) / edge)
    stop = np.floor((np.floor(max(a, b, c) + band)) / edge) + 1
    # Padding repeats the last sample, so a face near that sample reaches the last block.
    return int(min(max(first, 0), counts[axis] - 1)), int(min(max(stop, 1), counts[axis]))


@njit(cache=True, nogil=True)
def _bin_faces(
    vertices: Floats, faces: Ints, counts: Ints, edge: int, band: float
) -> tuple[Ints, Ints]:
    """List the faces that come within the band of each block, by a counting sort.

    Returns
    -------
    starts : (blocks + 1,) int64
    members : int32, faces of block b at ``members[starts[b]:starts[b + 1]]``.
    """
    starts = np.zeros(counts[0] * counts[1] * counts[2] + 1, dtype=np.int64)
    members = np.empty(0, dtype=np.int32)
    half = 0.5 * (edge - 1)
    # Squared: no sample of a block lies farther from its center than half its diagonal.
    reach = (np.sqrt(3.0) * half + band) ** 2
    for filling in range(2):
        if filling:
            for block in range(len(starts) - 1):
                starts[block + 1] += starts[block]
            members = np.empty(starts[-1], dtype=np.int32)
        for f in range(len(faces)):
            x0, x1 = _blocks_near(vertices, faces, f, counts, edge, band, 0)
            y0, y1 = _blocks_near(vertices, faces, f, counts, edge, band, 1)
            z0, z1 = _blocks_near(vertices, faces, f, counts, edge, band, 2)
            # Many blocks in the extent of a large face are far from the face itself.
            is_small = (x1 - x0) * (y1 - y0) * (z1 - z0) <= 8
            for x in range(x0, x1):
                for y in range(y0, y1):
                    for z in range(z0, z1):
                        if not is_small:
                            cx, cy, cz = x * edge + half, y * edge + half, z * edge + half
                            if _squared_face_distance(cx, cy, cz, vertices, faces, f) > reach:
                                continue
                        block = (x * counts[1] + y) * counts[2] + z
                        if filling:
                            starts[block] -= 1
                            members[starts[block]] = f
                        else:
                            starts[block] += 1
    return starts, members


@njit(cache=True, nogil=True, parallel=True)
def _lower_to_nearest(
    vertices: Floats,
    faces: Ints,
    starts: Ints,
    members: Ints,
    coordinates: Ints,
    counts: Ints,
    edge: int,
    last: Ints,
    band: float,
    squares: npt.NDArray[np.float32],
) -> None:
    """Lower ``squares`` (block, sample), first the band's square, to those of the nearest faces."""
    for row in prange(len(coordinates)):
        at = coordinates[row]
        block = (at[0] * counts[1] + at[1]) * counts[2] + at[2]
        for m in range(starts[block], starts[block + 1]):
            _lower_to_face(vertices, faces, members[m], at * edge, edge, last, band, squares[row])


@njit(cache=True, nogil=True)
def _samples_between(low: float, high: float, start: int, edge: int, last: int) -> tuple[int, int]:
    """Samples [first, stop) of a block that lie in [low, high]; padding repeats the last sample."""
    first = int(max(np.ceil(low) - start, 0))
    stop = int(min(np.floor(high) - start + 1, edge))
    return min(first, max(last - start, 0)), edge if high >= last else stop


@njit(cache=True, nogil=True, error_model="numpy")
def _lower_to_face(
    vertices: Floats,
    faces: Ints,
    f: int,
    start: Ints,
    edge: int,
    last: Ints,
    band: float,
    squares: npt.NDArray[np.float32],
) -> None:
    """Lower the squared distances of one block's samples to those of one face."""
    a, b, c = vertices[faces[f, 0]], vertices[faces[f, 1]], vertices[faces[f, 2]]
    nx, ny, nz, _ = _normal(a, b, c)  # the normal of a sliver is 0 and excludes no sample
    low = (min(a[0], b[0], c[0]), min(a[1], b[1], c[1]), min(a[2], b[2], c[2]))
    high = (max(a[0], b[0], c[0]), max(a[1], b[1], c[1]), max(a[2], b[2], c[2]))
    i0, i1 = _samples_between(low[0] - band, high[0] + band, start[0], edge, last[0])
    j0, j1 = _samples_between(low[1] - band, high[1] + band, start[1], edge, last[1])
    for i in range(i0, i1):
        x = float(min(start[0] + i, last[0]))
        for j in range(j0, j1):
            y = float(min(start[1] + j, last[1]))
            # The span in which the line through these samples is within the band of the plane.
            bottom, top = low[2] - band, high[2] + band
            offset = nx * (x - a[0]) + ny * (y - a[1])
            if abs(nz) > 1e-6:
                middle, reach = a[2] - offset / nz, (band + 1e-6) / abs(nz)
                bottom, top = max(bottom, middle - reach), min(top, middle + reach)
            elif abs(offset) > band + 1e-3:
                continue
            k0, k1 = _samples_between(bottom, top, start[2], edge, last[2])
            for k in range(k0, k1):
                z = float(min(start[2] + k, last[2]))
                sample = (i * edge + j) * edge + k
                height = offset + nz * (z - a[2])
                if height * height < squares[sample]:
                    square = np.float32(_squared_distance(x, y, z, a, b, c))
                    if square < squares[sample]:
                        squares[sample] = square


@njit(cache=True, nogil=True)
def _squared_face_distance(
    x: float, y: float, z: float, vertices: Floats, faces: Ints, f: int
) -> float:
    a, b, c = vertices[faces[f, 0]], vertices[faces[f, 1]], vertices[faces[f, 2]]
    return _squared_distance(x, y, z, a, b, c)


@njit(cache=True, nogil=True)
def _squared_distance(x: float, y: float, z: float, a: Floats, b: Floats, c: Floats) -> float:
    """Squared distance of a point to a triangle: to its nearest edge, or to its interior."""
    square = min(
        _squared_edge_distance(x, y, z, a, b),
        _squared_edge_distance(x, y, z, b, c),
        _squared_edge_distance(x, y, z, c, a),
    )
    nx, ny, nz, sliver = _normal(a, b, c)
    if sliver:
        return square
    height = nx * (x - a[0]) + ny * (y - a[1]) + nz * (z - a[2])
    if height * height < square:
        x, y, z = x - height * nx, y - height * ny, z - height * nz
        if (
            _is_left_of(x, y, z, a, b, nx, ny, nz)
            and _is_left_of(x, y, z, b, c, nx, ny, nz)
            and _is_left_of(x, y, z, c, a, nx, ny, nz)
        ):
            return float(height * height)
    return square


@njit(cache=True, nogil=True)
def _normal(a: Floats, b: Floats, c: Floats) -> tuple[float, float, float, bool]:
    """Unit normal and False; for a sliver, whose normal is only rounding, (0, 0, 0) and True."""
    ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    vx, vy, vz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    length = np.sqrt(nx * nx + ny * ny + nz * nz)
    if length <= _SLIVER * (ux * ux + uy * uy + uz * uz + vx * vx + vy * vy + vz * vz):
        return 0.0, 0.0, 0.0, True
    return nx / length, ny / length, nz / length, False


@njit(cache=True, nogil=True)
def _squared_edge_distance(x: float, y: float, z: float, p: Floats, q: Floats) -> float:
    """Squared distance of a point to a segment."""
    ex, ey, ez = q[0] - p[0], q[1] - p[1], q[2] - p[2]
    dx, dy, dz = x - p[0], y - p[1], z - p[2]
    length = ex * ex + ey * ey + ez * ez
    if length > 0.0:
        t = min(max((dx * ex + dy * ey + dz * ez) / length, 0.0), 1.0)
        dx, dy, dz = dx - t * ex, dy - t * ey, dz - t * ez
    return float(dx * dx + dy * dy + dz * dz)


@njit(cache=True, nogil=True)
def _is_left_of(
    x: float, y: float, z: float, p: Floats, q: Floats, nx: float, ny: float, nz: float
) -> bool:
    """Whether a point in a plane lies to the left of an edge, seen from the tip of the normal."""
    ex, ey, ez = q[0] - p[0], q[1] - p[1], q[2] - p[2]
    dx, dy, dz = x - p[0], y - p[1], z - p[2]
    turn = (ey * dz - ez * dy) * nx + (ez * dx - ex * dz) * ny + (ex * dy - ey * dx) * nz
    return bool(turn >= 0.0)
