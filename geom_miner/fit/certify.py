"""Every sample on its side of the surface: what a fit of a distance leaves wrong is gone after.

A distance is fitted to a few thousandths of a voxel, and samples nearer to the surface than that
may end up on its other side. Their blocks are trained on, with the distances of such samples pushed
away from zero and some slack for all; first a little, then more, until none is wrong.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from geom_miner.fit.history import ScaleHistory
from geom_miner.fit.one_scale import train_blocks
from geom_miner.fit.settings import FitSettings
from geom_miner.kernels.architecture import MLPArchitecture
from geom_miner.kernels.backends import load_backend
from geom_miner.model.block_mlps import local_coordinates

# Least distance from the surface, and slack around every distance, in voxels: what one stage leaves
# wrong is left to the next.
STAGES = ((0.02, 0.01), (0.04, 0.03), (0.08, 0.08), (0.16, 0.16))
_STEPS = 100
# Of the settings' step size.
_RATE = 0.5
# Nearer to the surface than this, in voxels, rounding could decide about a sample's side.
_SURE = 1e-4


def wrong_blocks(outputs: Tensor, lower: Tensor, surface: Tensor) -> Tensor:
    """Blocks, (f,) bool, with a sample on the wrong side of the surface.

    Parameters
    ----------
    outputs : (f, sample, channel), of the MLPs.
    lower : (f, sample, channel), the samples' lower bounds; above ``surface`` for those inside.
    surface : (f, sample, channel), outputs that reconstruct the surface's own level.
    """
    inside = lower > surface
    wrong = torch.where(inside, outputs < surface + _SURE, outputs > surface - _SURE)
    return wrong.flatten(1).any(dim=1)


def certify(
    architecture: MLPArchitecture,
    parameters: Tensor,
    lower: Tensor,
    upper: Tensor,
    surface: Tensor,
    *,
    block_shape: tuple[int, ...],
    settings: FitSettings,
    history: ScaleHistory,
    backend: str = "auto",
) -> Tensor:
    """Train blocks on until no sample is on the wrong side, or the stages are over.

    Parameters
    ----------
    parameters : (f, parameter), of blocks as fitted; not changed.
    lower, upper, surface : see ``wrong_blocks``; lower and upper are equal where a distance counts.
    history : added to.
    """
    kernel = load_backend(backend, parameters.device)
    coordinates = local_coordinates(block_shape, parameters.device)
    parameters = parameters.clone()
    more = replace(
        settings, steps=_STEPS, learning_rate=_RATE * settings.learning_rate, schedule="cosine"
    )
    aside = ScaleHistory(history.scale, history.shape, 0, 0, 0, 0)
    open_blocks = torch.arange(len(parameters), device=parameters.device)
    for least, slack in (*STAGES, (0.0, 0.0)):
        some = parameters[open_blocks]
        low, high, zero = lower[open_blocks], upper[open_blocks], surface[open_blocks]
        wrong = wrong_blocks(kernel.evaluate(architecture, some, coordinates), low, zero)
        open_blocks = open_blocks[wrong]
        if not len(open_blocks) or not least:
            break
        low, high, zero = low[wrong], high[wrong], zero[wrong]
        low, high = _with_slack(low, high, zero, least, slack)
        parameters[open_blocks] = train_blocks(
            architecture,
            some[wrong],
            low,
            high,
            # A sample on the wrong side alone adds ``least`` squared to the block's sum; a little
            # less, for the rounding of the sum.
            torch.full_like(zero[:, 0, 0], (1 - 1e-4) * least**2 / zero[0].numel()),
            one_sided=True,
            block_shape=block_shape,
            settings=more,
            history=aside,
            backend=backend,
        )
    history.kernel_seconds += aside.kernel_seconds
    history.block_steps += aside.block_steps
    history.wrong_blocks += len(open_blocks)
    return parameters


def _with_slack(
    lower: Tensor, upper: Tensor, surface: Tensor, least: float, slack: float
) -> tuple[Tensor, Tensor]:
    """Bounds around the distances that count, all of them at least ``least`` from the surface."""
    distance = lower - surface
    near, far = distance.abs() - slack, distance.abs() + slack
    near, far = near.clamp(min=least), far.clamp(min=least + slack)
    inside, counts = distance > 0, lower == upper
    low = surface + torch.where(inside, near, -far)
    high = surface + torch.where(inside, far, -near)
    return torch.where(counts, low, lower), torch.where(counts, high, upper)
