"""Groups of marching cubes cells: which samples a group reads and which vertices it owns.

A group covers one block's worth of cells, b per axis, and reads b + 1 samples per axis. It owns
the lattice edges whose lower sample is among its first b samples: three edges for each of these
samples, one along each axis. A *row* is all edges of one axis whose lower samples differ in z
only. Rows are numbered by their position in the lattice, so vertices have the order of their
edges, whatever the blocks are.

``rows[g, i, direction, j]`` belongs to group g and the row whose lower samples are (i, j, ·) in
it; ``direction`` is 2 - axis. ``count_crossings`` writes the row's number of crossed edges there,
and ``number_rows`` replaces it by the index of the row's first vertex. A sweep along z finds the
row's other vertices by counting on. Nothing else is needed to connect groups: a cell at the end of
its group reads the rows of the neighboring group.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from geom_miner.compiled_cache import drop_if_stale, njit

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# Here, because both other files import this one before they run compiled code.
drop_if_stale(Path(__file__).parent, "cell_groups.py", "cell_faces.py", "cell_vertices.py")

# Groups that a thread takes at once.
GROUPS_PER_TASK = 4


class SampledBlocks(NamedTuple):
    """A scalar signal on sparse blocks, as compiled code reads it."""

    values: npt.NDArray[np.float32]  # (varying block, sample)
    slots: npt.NDArray[np.int32]  # (*counts) row in values, -1 for constant blocks
    constants: npt.NDArray[np.float32]  # (*counts)
    block_shape: Ints  # (3,)
    shape: Ints  # (3,) samples beyond it are outside
    iso_level: float


class Groups(NamedTuple):
    """Groups of cells: group q covers those from sample q b - 1 to sample q b + b - 1."""

    coordinates: Ints  # (g, 3) in row-major order
    slots: npt.NDArray[np.int32]  # (*counts + 2) number of each group, -1 for absent groups


@njit(nogil=True, cache=True)
def read_box(samples: SampledBlocks, group: Ints) -> Floats:
    """The samples that a group reads; samples beyond the true shape are outside."""
    size_x, size_y, size_z = samples.block_shape[0], samples.block_shape[1], samples.block_shape[2]
    # 0.5 below the iso level: if the last sample is 0.5 above it, the surface lies midway between
    # them, on the outer face of the last sample's cell.
    box = np.full((size_x + 1, size_y + 1, size_z + 1), samples.iso_level - 0.5)
    for i in range(size_x + 1):
        x = group[0] * size_x + i - 1
        if not 0 <= x < samples.shape[0]:
            continue
        for j in range(size_y + 1):
            y = group[1] * size_y + j - 1
            if not 0 <= y < samples.shape[1]:
                continue
            inner = (x % size_x * size_y + y % size_y) * size_z
            # The first sample along z is the last one of the block below.
            for is_own in range(2):
                block = group[2] - 1 + is_own
                stop = min(samples.shape[2] - block * size_z, size_z)
                if block < 0 or stop <= 0:
                    continue
                slot = samples.slots[x // size_x, y // size_y, block]
                constant = samples.constants[x // size_x, y // size_y, block]
                for k in range(0 if is_own else size_z - 1, stop):
                    value = samples.values[slot, inner + k] if slot >= 0 else constant
                    box[i, j, k + 1 if is_own else 0] = value
    return box


@njit(nogil=True, cache=True)
def signs_at(box: Floats, i: int, j: int, k: int, iso_level: float) -> int:
    """Signs of the four samples (i + di, j + dj, k), as bits 2 di + dj."""
    return (
        (box[i, j, k] >= iso_level)
        | (box[i, j + 1, k] >= iso_level) << 1
        | (box[i + 1, j, k] >= iso_level) << 2
        | (box[i + 1, j + 1, k] >= iso_level) << 3
    )


@njit(nogil=True, cache=True)
def crossed_rows(box: Floats, iso_level: float) -> npt.NDArray[np.bool_]:
    """Whether the cells (i, j, ·) have samples on both sides of the iso level."""
    some_inside = np.zeros(box.shape[:2], dtype=np.bool_)
    some_outside = np.zeros(box.shape[:2], dtype=np.bool_)
    for i in range(box.shape[0]):
        for j in range(box.shape[1]):
            inside = 0
            for k in range(box.shape[2]):
                inside += box[i, j, k] >= iso_level
            some_inside[i, j], some_outside[i, j] = inside > 0, inside < box.shape[2]
    crossed = np.empty((box.shape[0] - 1, box.shape[1] - 1), dtype=np.bool_)
    for i in range(crossed.shape[0]):
        for j in range(crossed.shape[1]):
            four = slice(i, i + 2), slice(j, j + 2)
            crossed[i, j] = some_inside[four].any() and some_outside[four].any()
    return crossed
