"""How an occupancy compares with winding numbers, on all samples of a grid or some of them.

Exact winding numbers cost faces times samples; fast ones cost next to nothing but have an error. A
comparison needs three answers only: above 1/2, below it, or too close to it to tell. So fast ones
are computed for all samples, and exact ones where they could change the answer: for every sample
that is as close to a limit between two answers as the largest error seen, and for a random choice
of the others, which shows how large errors are. If none of n such exact ones has a larger error,
then with 95 % confidence no more than 3/n of the samples do, and such an error changes an answer
only where it is larger than the distance to the limit: 0.4 inside and outside closed surfaces.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from geom_miner import SampleGrid, TriangleMesh
from geom_miner.grid import SparseBlocks
from geom_miner.voxelize import winding_numbers

# Winding numbers this close to 1/2 are no verdict.
UNCLEAR = 0.1

# Solid angles of single faces that are summed up to check the fast winding numbers of samples
# chosen at random: about a second.
EXACT_WORK = 3e7

# Draws for each sample that is kept.
MOST_DRAWS = 20


@dataclass(frozen=True)
class WindingReference:
    """Winding numbers at samples of a grid.

    Parameters
    ----------
    index : (s, 3) int64, indices of the samples.
    weights : (s,) samples of the grid that each stands for.
    winding : (s,) magnitudes of the winding numbers, exact where that can matter.
    fast_error : largest difference of fast from exact winding numbers where both were computed.
    exact_samples : number of samples where they were.
    random_samples : those among them that were chosen at random.
    """

    index: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]
    winding: npt.NDArray[np.float64]
    fast_error: float
    exact_samples: int
    random_samples: int

    @property
    def clear(self) -> npt.NDArray[np.bool_]:
        """(s,) where the winding number is more than 0.1 from 1/2."""
        return np.abs(self.winding - 0.5) > UNCLEAR

    @property
    def unclear_fraction(self) -> float:
        """Share of the grid's samples where the winding number gives no clear verdict."""
        return float(self.weights[~self.clear].sum() / self.weights.sum())

    @property
    def broken_fraction(self) -> float:
        """Share of the grid's samples whose winding number is more than 0.1 from a whole number.

        None, but for errors, if the surface is closed and its faces agree about outside.
        """
        broken = np.abs(self.winding - np.round(self.winding)) > UNCLEAR
        return float(self.weights[broken].sum() / self.weights.sum())

    def iou(self, blocks: SparseBlocks) -> float:
        """IoU of an occupancy on the same grid with the winding numbers, where these are clear."""
        values = blocks.read(torch.from_numpy(self.index), (1, 1, 1)).reshape(-1).numpy()
        ours, theirs = values[self.clear] > 0.5, self.winding[self.clear] > 0.5
        weights = self.weights[self.clear]
        union = weights[ours | theirs].sum()
        return float(weights[ours & theirs].sum() / union) if union else 1.0


def compare_with_winding(
    mesh: TriangleMesh, grid: SampleGrid, blocks: SparseBlocks, *, samples: int, seed: int
) -> WindingReference:
    """Winding numbers at all samples of a grid, or at some near the surface and some elsewhere.

    Parameters
    ----------
    blocks : an occupancy on the grid; its varying blocks are "near the surface".
    samples : the grid's samples are all taken if they are no more than this.
    """
    rng = np.random.default_rng(seed)
    if int(np.prod(grid.shape)) <= samples:
        index = np.argwhere(np.ones(grid.shape, dtype=bool))
        weights = np.ones(len(index))
    else:
        index, weights = _two_strata(grid, blocks, samples, rng)
    points = grid.index_to_world(index)
    winding = np.abs(winding_numbers(mesh, points))
    at_random = rng.permutation(len(index))[: 1 + int(EXACT_WORK // len(mesh.faces))]
    ask, is_exact, error = at_random, np.zeros(len(index), dtype=bool), 0.0
    while len(ask):
        exact = np.abs(winding_numbers(mesh, points[ask], exact=True))
        error = max(error, float(np.abs(exact - winding[ask]).max()))
        winding[ask] = exact
        is_exact[ask] = True
        ask = np.flatnonzero(~is_exact & (np.abs(winding - 0.5) <= UNCLEAR + error))
    return WindingReference(
        index, weights, winding, error, int(np.count_nonzero(is_exact)), len(at_random)
    )


def _two_strata(
    grid: SampleGrid, blocks: SparseBlocks, samples: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Half the samples from varying blocks, half from the others, and what each stands for."""
    shape, size = np.array(grid.shape), np.array(blocks.layout.block_shape)
    starts = blocks.layout.starts_of(blocks.ids).numpy()
    near_count = int(np.minimum(size, shape - starts).prod(axis=1).sum())
    away_count = int(shape.prod()) - near_count

    def draws(wanted: int, drawn_from: int) -> int:
        """Enough that about half of ``samples`` are left, unless nearly all are turned down."""
        return int(samples / 2 * min(MOST_DRAWS, drawn_from / max(1, wanted)))

    near = np.empty((0, 3), dtype=np.int64)
    if len(starts):
        block = rng.integers(0, len(starts), draws(near_count, len(starts) * int(size.prod())))
        near = starts[block] + rng.integers(0, size, (len(block), 3))
        near = near[(near < shape).all(axis=1)]
    away = rng.integers(0, shape, (draws(away_count, int(shape.prod())), 3))
    owners = blocks.layout.ids_of(torch.from_numpy(away // size))
    away = away[blocks.slots_of(owners).numpy() < 0]
    weights = [
        np.full(len(drawn), count / max(1, len(drawn)))
        for drawn, count in ((near, near_count), (away, away_count))
    ]
    return np.concatenate([near, away]), np.concatenate(weights)
