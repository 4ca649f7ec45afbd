"""Compare an occupancy with winding numbers, at all samples of a grid or at a random choice.

Exact winding numbers take time proportional to faces times samples; fast ones take little time but
have an error. The comparison needs only three answers: above 1/2, below 1/2, or unclear, which is
within 0.1 of 1/2. So fast winding numbers are computed at all samples, and exact ones at a random
choice of samples, which shows how large the errors are, and wherever the fast one is so close to a
limit between two answers that an error of this size could change the answer. If none of n random
samples has a larger error, then with 95 % confidence at most 3/n of all samples have one. Such an
error changes an answer only if it exceeds the distance to the limit, which is 0.4 both inside and
outside a closed surface.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from geom_miner import SampleGrid, TriangleMesh
from geom_miner.grid import SparseBlocks
from geom_miner.voxelize import winding_numbers

# Winding numbers this close to 1/2 give no clear answer.
UNCLEAR = 0.1

# Solid angles of single faces that are summed to check fast winding numbers at random samples:
# about 1 s of work.
EXACT_WORK = 3e7

# Upper limit of the draws per sample that is kept.
MOST_DRAWS = 20


@dataclass(frozen=True)
class WindingReference:
    """Winding numbers at samples of a grid.

    Parameters
    ----------
    index : (s, 3) int64, indices of the samples.
    weights : (s,) number of samples of the grid that each of them represents.
    winding : (s,) magnitudes of the winding numbers, exact wherever that can change the answer.
    fast_error : largest difference between fast and exact winding numbers.
    exact_samples : number of samples where both were computed.
    random_samples : number of those that were chosen at random.
    """

    index: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]
    winding: npt.NDArray[np.float64]
    fast_error: float
    exact_samples: int
    random_samples: int

    @property
    def clear(self) -> npt.NDArray[np.bool_]:
        """(s,) whether the winding number is more than 0.1 from 1/2."""
        return np.abs(self.winding - 0.5) > UNCLEAR

    @property
    def unclear_fraction(self) -> float:
        """Share of the grid's samples at which the winding number gives no clear answer."""
        return float(self.weights[~self.clear].sum() / self.weights.sum())

    @property
    def broken_fraction(self) -> float:
        """Share of the grid's samples whose winding number is more than 0.1 from an integer.

        Up to errors of the fast winding numbers it is 0 for a closed, consistently wound surface.
        """
        broken = np.abs(self.winding - np.round(self.winding)) > UNCLEAR
        return float(self.weights[broken].sum() / self.weights.sum())

    def iou(self, blocks: SparseBlocks) -> float:
        """IoU of an occupancy on the same grid and the winding numbers, where these are clear."""
        values = blocks.read(torch.from_numpy(self.index), (1, 1, 1)).reshape(-1).numpy()
        inside, reference = values[self.clear] > 0.5, self.winding[self.clear] > 0.5
        weights = self.weights[self.clear]
        union = weights[inside | reference].sum()
        return float(weights[inside & reference].sum() / union) if union else 1.0


def compare_with_winding(
    mesh: TriangleMesh, grid: SampleGrid, blocks: SparseBlocks, *, samples: int, seed: int
) -> WindingReference:
    """Winding numbers at all samples of a grid, or at random ones near the surface and elsewhere.

    Parameters
    ----------
    blocks : an occupancy on the grid; its varying blocks are "near the surface".
    samples : number of random samples; a grid with no more samples is compared completely.
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
    pending, is_exact, error = at_random, np.zeros(len(index), dtype=bool), 0.0
    while len(pending):
        exact = np.abs(winding_numbers(mesh, points[pending], exact=True))
        error = max(error, float(np.abs(exact - winding[pending]).max()))
        winding[pending] = exact
        is_exact[pending] = True
        pending = np.flatnonzero(~is_exact & (np.abs(winding - 0.5) <= UNCLEAR + error))
    return WindingReference(
        index, weights, winding, error, int(np.count_nonzero(is_exact)), len(at_random)
    )


def _two_strata(
    grid: SampleGrid, blocks: SparseBlocks, samples: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Half the samples from varying blocks, half from the others, and the weights of each half."""
    shape, size = np.array(grid.shape), np.array(blocks.layout.block_shape)
    starts = blocks.layout.starts_of(blocks.ids).numpy()
    near_count = int(np.minimum(size, shape - starts).prod(axis=1).sum())
    away_count = int(shape.prod()) - near_count

    def draws(accepted: int, population: int) -> int:
        """How often to draw so that about half of ``samples`` remain after rejection."""
        return int(samples / 2 * min(MOST_DRAWS, population / max(1, accepted)))

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
