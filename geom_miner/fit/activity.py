"""Which blocks of a scale get an MLP: varying, constant, worth fitting."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from geom_miner.fit.certify import wrong_blocks
from geom_miner.fit.settings import FitSettings
from geom_miner.grid.pyramid import upsample_blocks, varying_when_upsampled
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.grid.target import Target
from geom_miner.kernels.training import interval_around


@dataclass(frozen=True)
class BlockTask:
    """What some blocks of a scale have to fit.

    Attributes
    ----------
    fitted : (q,) bool, whether a block gets an MLP.
    lower, upper : (f, sample, channel), bounds of the outputs of the MLPs of the blocks that do, in
        the target's units; one tensor if every sample is meant as it is.
    energies : (f,), mean squares of what is missed without an MLP.
    shares : (f,), of a block's samples that are meant as they are, more than 0.
    surface : (f, sample, channel), outputs that reconstruct the surface's level; None if the scale
        is not certified.
    """

    fitted: Tensor
    lower: Tensor
    upper: Tensor
    energies: Tensor
    shares: Tensor
    surface: Tensor | None = None


def blocks_in_question(
    target: Target, scale: int, coarser: SparseBlocks | None, settings: FitSettings
) -> Tensor:
    """Morton ids, ascending, of the blocks of a scale that may need an MLP.

    They are those that vary in the target and, if the settings say so, constant ones that the
    coarser scale predicts badly.
    """
    varying = target.scales[scale].ids
    if settings.constant_blocks == "exact":
        return varying
    badly = _badly_predicted_constants(target, scale, coarser, settings)
    return torch.cat([varying, badly]).sort().values


def plan_blocks(
    target: Target, scale: int, coarser: SparseBlocks | None, ids: Tensor, settings: FitSettings
) -> BlockTask:
    """Sort blocks into predicted well enough and to be fitted.

    At the coarsest scale every one is fitted; below, those that the prediction misses by more than
    ``settings.add_threshold`` in mean square (MINER, section 3.2), over the samples that are meant
    as they are. A dead zone widens the bounds of all samples. A scale that is certified has an MLP
    also where the prediction has a sample on the wrong side of the surface.
    """
    blocks = target.scales[scale]
    lower, upper = target.bounds(scale, blocks.read_blocks(ids))
    surface = torch.full_like(lower, target.level) if settings.certify_at(scale) else None
    # In place where the bounds are one tensor, or two of its own.
    if coarser is not None:
        prediction = upsample_blocks(coarser, blocks.layout, ids)
        for bound in _distinct(lower, upper, surface):
            bound -= prediction
    if target.units[scale] != 1:
        for bound in _distinct(lower, upper, surface):
            bound /= target.units[scale]
    missed, shares = lower, torch.ones(len(ids), device=lower.device)
    if upper is not lower:
        missed = lower.clamp(min=0) + upper.clamp(max=0)
        # A block without any meant sample has bounds all the same.
        one = 1 / missed[0].numel() if len(ids) else 1.0
        shares = (lower == upper).float().mean(dim=(1, 2)).clamp(min=one)
    energies = missed.square().mean(dim=(1, 2)) / shares
    fitted = energies > settings.add_threshold
    if surface is not None:
        fitted |= wrong_blocks(torch.zeros_like(lower), lower, surface)
    if coarser is None:
        fitted = torch.ones_like(fitted)
    if upper is lower:
        lower = upper = lower[fitted]
    else:
        lower, upper = lower[fitted], upper[fitted]
    if settings.dead_zone_at(scale):
        lower, upper = interval_around(lower, settings.dead_zone_at(scale))
    surface = surface[fitted] if surface is not None else None
    return BlockTask(fitted, lower, upper, energies[fitted], shares[fitted], surface)


def constants_to_store(
    target: Target, scale: int, coarser: SparseBlocks | None, ids: Tensor
) -> tuple[Tensor, Tensor]:
    """Ids (c,) and values (c, channel) of constants that the parent does not hand down well enough.

    Of all blocks but ``ids``.
    """
    blocks = target.scales[scale]
    layout = blocks.layout
    all_ids = layout.all_ids().to(ids.device)
    constant = all_ids[~torch.isin(all_ids, ids)]
    values = blocks.constants_of(constant).float()
    if coarser is not None:
        # A constant parent hands its number down; only what that is not good for is news.
        parents = constant >> layout.ndim
        handed = coarser.constants_of(parents)
        lower, upper = target.bounds(scale, values)
        known = (coarser.slots_of(parents) < 0) & ((handed >= lower) & (handed <= upper)).all(dim=1)
        constant, values = constant[~known], values[~known]
    return constant, values


def block_tolerances(task: BlockTask, settings: FitSettings, scale: int) -> Tensor:
    """The loss at which each fitted block stops, (f,).

    The settings' tolerance is over the samples that are meant as they are, a loss over all.

    With a dead zone of +-w around a 0-1 target, a sample on the wrong side of 1/2 has an error
    beyond 1/2 and so adds more than (1/2 - w)^2 to the block's sum; a loss below that over the
    number of samples certifies that there is none.
    """
    dead_zone = settings.dead_zone_at(scale)
    if dead_zone:
        samples = task.lower.shape[1] * task.lower.shape[2]
        # A little less than the bound, for the rounding of the sum.
        certain = (1 - 1e-4) * (0.5 - dead_zone) ** 2 / samples
        return torch.full_like(task.energies, certain)
    tolerances = settings.block_tolerance * task.shares
    return tolerances * task.energies if settings.relative_tolerance else tolerances


def _distinct(*tensors: Tensor | None) -> list[Tensor]:
    """Those that are there, each once."""
    return list({id(tensor): tensor for tensor in tensors if tensor is not None}.values())


def _badly_predicted_constants(
    target: Target, scale: int, coarser: SparseBlocks | None, settings: FitSettings
) -> Tensor:
    """Blocks that are constant in the target but not, within the threshold, in the prediction."""
    blocks = target.scales[scale]
    layout = blocks.layout
    constant = layout.all_ids().to(blocks.device)
    constant = constant[blocks.slots_of(constant) < 0]
    if coarser is None:
        return constant
    lower, upper = target.bounds(scale, blocks.constants_of(constant).float())
    predicted = coarser.constants_of(constant >> layout.ndim)
    errors = (predicted - predicted.clamp(lower, upper)).square().mean(dim=1)
    touched = torch.isin(constant, varying_when_upsampled(coarser))
    predicted = upsample_blocks(coarser, layout, constant[touched])
    nearest = predicted.clamp(lower[touched][:, None], upper[touched][:, None])
    errors[touched] = (predicted - nearest).square().mean(dim=(1, 2))
    return constant[errors > settings.add_threshold * target.units[scale] ** 2]
