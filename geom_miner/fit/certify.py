"""Keep training until every sample has the right sign.

A distance is fitted to a few thousandths of a voxel, so a sample nearer to the surface than that
may end up on its other side. Blocks with such samples are trained further, in stages: each stage
pushes the distances of all samples away from zero by some least distance and allows a slack
around them; what one stage leaves wrong goes to the next, which pushes farther.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from geom_miner.fit.history import ScaleHistory
from geom_miner.fit.settings import FitSettings
from geom_miner.fit.training import BlockProblem, train_blocks
from geom_miner.kernels.backends import load_backend
from geom_miner.model.block_mlps import local_coordinates

# Least distance from the surface and slack around every distance, in voxels, stage by stage.
STAGES = ((0.02, 0.01), (0.04, 0.03), (0.08, 0.08), (0.16, 0.16))
_STEPS = 100
# Step size, relative to the settings' own.
_RATE = 0.5
# Nearer to the surface than this, in voxels, rounding could decide on which side a sample is.
_ROUNDING = 1e-4


def wrong_blocks(outputs: Tensor, lower: Tensor, surface: Tensor) -> Tensor:
    """Blocks, (f,) bool, with a sample on the wrong side of the surface.

    Parameters
    ----------
    outputs : (f, sample, channel), of the MLPs.
    lower : (f, sample, channel), the samples' lower bounds; above ``surface`` for those inside.
    surface : (f, sample, channel), outputs that reconstruct the surface's own level.
    """
    inside = lower > surface
    wrong = torch.where(inside, outputs < surface + _ROUNDING, outputs > surface - _ROUNDING)
    return wrong.flatten(1).any(dim=1)


def certify(
    problem: BlockProblem,
    surface: Tensor,
    parameters: Tensor,
    settings: FitSettings,
    history: ScaleHistory,
    *,
    backend: str = "auto",
) -> Tensor:
    """Train blocks further until no sample is on the wrong side, or the stages are over.

    Parameters
    ----------
    problem : that the blocks were fitted to; lower and upper are equal inside the truncation band.
    surface : see ``wrong_blocks``.
    parameters : (f, parameter), of blocks as fitted; not changed.
    history : added to.
    """
    kernel = load_backend(backend, parameters.device)
    coordinates = local_coordinates(problem.block_shape, parameters.device)
    architecture, parameters = problem.architecture, parameters.clone()
    more = replace(
        settings, steps=_STEPS, learning_rate=_RATE * settings.learning_rate, schedule="cosine"
    )
    aside = ScaleHistory(history.scale, history.shape, 0, 0, 0, 0)
    uncertified = torch.arange(len(parameters), device=parameters.device)
    for least, slack in (*STAGES, (0.0, 0.0)):
        start = parameters[uncertified]
        lower, upper = problem.lower[uncertified], problem.upper[uncertified]
        zero = surface[uncertified]
        wrong = wrong_blocks(kernel.evaluate(architecture, start, coordinates), lower, zero)
        uncertified = uncertified[wrong]
        if not len(uncertified) or not least:
            break
        lower, upper = _with_slack(lower[wrong], upper[wrong], zero[wrong], least, slack)
        # A sample on the wrong side alone adds ``least`` squared to the block's sum; a little
        # less, for the rounding of the sum.
        tolerance = (1 - 1e-4) * least**2 / lower[0].numel()
        stage = replace(
            problem,
            lower=lower,
            upper=upper,
            tolerances=torch.full_like(lower[:, 0, 0], tolerance),
            one_sided=True,
        )
        parameters[uncertified] = train_blocks(stage, start[wrong], more, aside, backend=backend)
    history.kernel_seconds += aside.kernel_seconds
    history.block_steps += aside.block_steps
    history.wrong_blocks += len(uncertified)
    return parameters


def _with_slack(
    lower: Tensor, upper: Tensor, surface: Tensor, least: float, slack: float
) -> tuple[Tensor, Tensor]:
    """Bounds around the distances in the band, all of them at least ``least`` from the surface."""
    distance = lower - surface
    near, far = distance.abs() - slack, distance.abs() + slack
    near, far = near.clamp(min=least), far.clamp(min=least + slack)
    inside, exact = distance > 0, lower == upper
    low = surface + torch.where(inside, near, -far)
    high = surface + torch.where(inside, far, -near)
    return torch.where(exact, low, lower), torch.where(exact, high, upper)
