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
    """Which of some candidate blocks get an MLP, and what these MLPs are held to.

    Attributes
    ----------
    fitted : (q,) bool, whether a block gets an MLP; f of them do.
    lower, upper : (f, sample, channel), bounds of the MLPs' outputs, in the target's units; one
        tensor if every sample is held to its value.
    energies : (f,), mean squared residuals without an MLP.
    shares : (f,), share of a block's samples that are held to their values, more than 0.
    surface : (f, sample, channel), outputs that reconstruct the surface's level; None if the scale
        is not certified.
    """

    fitted: Tensor
    lower: Tensor
    upper: Tensor
    energies: Tensor
    shares: Tensor
    surface: Tensor | None = None


def candidate_blocks(
    target: Target, scale: int, coarser: SparseBlocks | None, settings: FitSettings
) -> Tensor:
    """Morton ids, ascending, of the blocks of a scale that may need an MLP.

    They are those that vary in the target and, if the settings say so, constant ones that the
    coarser scale predicts badly.
    """
    varying = target.scales[scale].varying_ids
    if settings.released.constant_blocks == "exact":
        return varying
    badly = _badly_predicted_constants(target, scale, coarser, settings)
    return torch.cat([varying, badly]).sort().values


def plan_blocks(
    target: Target, scale: int, coarser: SparseBlocks | None, ids: Tensor, settings: FitSettings
) -> BlockTask:
    """Sort blocks into predicted well enough and to be fitted.

    At the coarsest scale every block is fitted; below, those where the mean squared error of the
    prediction, over the samples that are held to their values, exceeds ``settings.add_threshold``
    (MINER, section 3.2). A dead zone widens the bounds of all samples. A certified scale has an MLP
    also where the prediction has a sample on the wrong side of the surface.
    """
    blocks = target.scales[scale]
    lower, upper = target.bounds(scale, blocks.read_blocks(ids))
    surface = torch.full_like(lower, target.iso_level) if settings.certify_at(scale) else None
    # In place where the bounds are one tensor, or two of its own.
    if coarser is not None:
        prediction = upsample_blocks(coarser, blocks.layout, ids)
        for bound in _distinct(lower, upper, surface):
            bound -= prediction
    elif target.base:
        for bound in _distinct(lower, upper, surface):
            bound -= torch.tensor(target.base, device=bound.device)
    if target.units[scale] != 1:
        for bound in _distinct(lower, upper, surface):
            bound /= target.units[scale]
    residual, shares = lower, torch.ones(len(ids), device=lower.device)
    if upper is not lower:
        residual = lower.clamp(min=0) + upper.clamp(max=0)
        # A block without any such sample still has bounds: it counts as if it had one.
        one = 1 / residual[0].numel() if len(ids) else 1.0
        shares = (lower == upper).float().mean(dim=(1, 2)).clamp(min=one)
    energies = residual.square().mean(dim=(1, 2)) / shares
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
    """Constants that the file has to hold: those that a block does not inherit from its parent.

    Parameters
    ----------
    ids : candidate blocks of the scale; all others are constant.

    Returns
    -------
    Ids (c,) and values (c, channel).
    """
    blocks = target.scales[scale]
    layout = blocks.layout
    all_ids = layout.all_ids().to(ids.device)
    constant = all_ids[~torch.isin(all_ids, ids)]
    values = blocks.constants_of(constant).float()
    if coarser is not None:
        # A block inherits its parent's constant where that is within its bounds.
        parents = constant >> layout.ndim
        inherited = coarser.constants_of(parents)
        lower, upper = target.bounds(scale, values)
        within = ((inherited >= lower) & (inherited <= upper)).all(dim=1)
        kept = (coarser.slots_of(parents) < 0) & within
        constant, values = constant[~kept], values[~kept]
    return constant, values


def block_tolerances(task: BlockTask, settings: FitSettings, scale: int) -> Tensor:
    """The loss at which each fitted block stops, (f,).

    The settings' tolerance is a mean over the samples that are held to their values, a loss one
    over all samples.

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
    return tolerances * task.energies if settings.released.relative_tolerance else tolerances


def _distinct(*tensors: Tensor | None) -> list[Tensor]:
    """The tensors that are not None, each once."""
    return list({id(tensor): tensor for tensor in tensors if tensor is not None}.values())


def _badly_predicted_constants(
    target: Target, scale: int, coarser: SparseBlocks | None, settings: FitSettings
) -> Tensor:
    """Blocks that are constant in the target but not, within the threshold, in the prediction."""
    blocks = target.scales[scale]
    layout = blocks.layout
    constant = layout.all_ids().to(blocks.device)
    constant = constant[~torch.isin(constant, blocks.varying_ids)]
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
