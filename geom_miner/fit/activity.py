"""Which blocks of a scale get an MLP: varying, constant, worth fitting."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from geom_miner.fit.settings import FitSettings
from geom_miner.grid.pyramid import upsample_blocks, varying_when_upsampled
from geom_miner.grid.sparse import SparseBlocks


@dataclass(frozen=True)
class BlockTask:
    """What some blocks of a scale have to fit.

    Attributes
    ----------
    fitted : (q,) bool, whether a block gets an MLP.
    residuals : (f, sample, channel), target minus prediction of the blocks that do.
    energies : (f,), their mean squares.
    """

    fitted: Tensor
    residuals: Tensor
    energies: Tensor


def blocks_in_question(
    target: SparseBlocks, coarser: SparseBlocks | None, settings: FitSettings
) -> Tensor:
    """Morton ids, ascending, of the blocks of a scale that may need an MLP.

    They are those that vary in the target and, if the settings say so, constant ones that the
    coarser scale predicts badly.
    """
    if settings.constant_blocks == "exact":
        return target.ids
    badly = _badly_predicted_constants(target, coarser, settings)
    return torch.cat([target.ids, badly]).sort().values


def plan_blocks(
    target: SparseBlocks, coarser: SparseBlocks | None, ids: Tensor, settings: FitSettings
) -> BlockTask:
    """Sort blocks into predicted well enough and to be fitted.

    At the coarsest scale every one is fitted; below, those whose prediction is off by more than
    ``settings.add_threshold`` in mean square (MINER, section 3.2).
    """
    residuals = target.read_blocks(ids)
    if coarser is not None:
        residuals -= upsample_blocks(coarser, target.layout, ids)
    energies = residuals.square().mean(dim=(1, 2))
    fitted = energies > settings.add_threshold
    if coarser is None:
        fitted = torch.ones_like(fitted)
    return BlockTask(fitted, residuals[fitted], energies[fitted])


def constants_to_store(
    target: SparseBlocks, coarser: SparseBlocks | None, ids: Tensor
) -> tuple[Tensor, Tensor]:
    """Ids (c,) and values (c, channel) of constants that differ from what the parent hands down.

    Of all blocks but ``ids``.
    """
    layout = target.layout
    all_ids = layout.all_ids().to(ids.device)
    constant = all_ids[~torch.isin(all_ids, ids)]
    values = target.constants_of(constant).float()
    if coarser is not None:
        # A constant parent hands its number down; only other numbers are news.
        parents = constant >> layout.ndim
        known = coarser.slots_of(parents) < 0
        news = ~(known & (coarser.constants_of(parents) == values).all(dim=1))
        constant, values = constant[news], values[news]
    return constant, values


def block_tolerances(task: BlockTask, settings: FitSettings, scale: int) -> Tensor:
    """The loss at which each fitted block stops, (f,).

    With a dead zone of +-w around a 0-1 target, a sample on the wrong side of 1/2 has an error
    beyond 1/2 and so adds more than (1/2 - w)^2 to the block's sum; a loss below that over the
    number of samples certifies that there is none.
    """
    dead_zone = settings.dead_zone_at(scale)
    if dead_zone:
        samples = task.residuals.shape[1] * task.residuals.shape[2]
        # A little less than the bound, for the rounding of the sum.
        certain = (1 - 1e-4) * (0.5 - dead_zone) ** 2 / samples
        return torch.full_like(task.energies, certain)
    tolerances = torch.full_like(task.energies, settings.block_tolerance)
    return tolerances * task.energies if settings.relative_tolerance else tolerances


def _badly_predicted_constants(
    target: SparseBlocks, coarser: SparseBlocks | None, settings: FitSettings
) -> Tensor:
    """Blocks that are constant in the target but not, within the threshold, in the prediction."""
    layout = target.layout
    constant = layout.all_ids().to(target.device)
    constant = constant[target.slots_of(constant) < 0]
    if coarser is None:
        return constant
    values = target.constants_of(constant).float()
    predicted = coarser.constants_of(constant >> layout.ndim)
    errors = (predicted - values).square().mean(dim=1)
    touched = torch.isin(constant, varying_when_upsampled(coarser))
    residuals = upsample_blocks(coarser, layout, constant[touched]) - values[touched][:, None]
    errors[touched] = residuals.square().mean(dim=(1, 2))
    return constant[errors > settings.add_threshold]
