"""Find the quantization step with which a fit reaches a goal."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from geom_miner.errors import SettingsError
from geom_miner.fit.coarse_to_fine import fit_signal
from geom_miner.fit.cosine_settings import AnySettings, CosineSettings
from geom_miner.fit.file_fit import metadata_of
from geom_miner.fit.goal import Goal
from geom_miner.grid.difference import mean_squared_error, peak_signal_to_noise
from geom_miner.grid.sparse import CHUNK_SAMPLES, SparseBlocks
from geom_miner.grid.target import Target
from geom_miner.model.representation import Representation
from geom_miner.progress import Progress, silent
from geom_miner.storage.writer import save_model

# The search ends within this share of the goal (of decibels: within this many).
_CLOSE, _CLOSE_DECIBELS = 0.01, 0.05
# What counts as met.
_MET, _MET_DECIBELS = 0.05, 0.25
_MOST_TRIALS = 10
# Steps are tried between these factors on the preset's.
_LEAST, _MOST = 1 / 256, 256.0
# A sample is near the surface within this distance, in voxels.
_NEAR = 0.5


@dataclass(frozen=True)
class ReachedGoal:
    """Settings that come as near to a goal as the search found.

    Attributes
    ----------
    value : what they reach.
    trials : fits that the search took.
    """

    goal: Goal
    settings: CosineSettings
    value: float
    trials: int

    @property
    def is_met(self) -> bool:
        """Whether the value is within 5 % of the goal, or within a quarter of a decibel."""
        if self.goal.kind == "psnr":
            return abs(self.value - self.goal.value) <= _MET_DECIBELS
        return abs(self.value / self.goal.value - 1) <= _MET

    def describe(self) -> str:
        """A sentence."""
        steps = f"step {self.settings.step:.3g} gives {self.goal.describe(self.value)}"
        if self.is_met:
            return f"Of {self.trials} trials, {steps}."
        return (
            f"The goal, {self.goal.describe()}, is missed: of {self.trials} trials, {steps}; "
            "change --block-size, --scales or the resolution."
        )


def reach_goal(
    goal: Goal,
    target: Target,
    settings: AnySettings,
    *,
    backend: str = "auto",
    progress: Progress = silent,
) -> ReachedGoal:
    """Scale the steps of cosine blocks so that a fit reaches a goal.

    Every trial is a whole fit. Error and size are nearly powers of the step, so the search follows
    secants of their logarithms, inside the bracket that it knows.

    Raises
    ------
    SettingsError
        The settings are of block MLPs, or the target has nothing of the goal's kind.
    """
    if not isinstance(settings, CosineSettings):
        raise SettingsError(
            f"only cosine blocks can aim at {goal.describe()}; take --preset compact for a mesh, "
            "image-compact for an image"
        )
    if goal.kind == "error" and target.is_exact(0):
        raise SettingsError("error is for the distance to a surface; for an image take psnr")
    if goal.kind == "psnr" and not target.is_exact(0):
        raise SettingsError("psnr is for images; for a surface take error")

    tried: dict[float, float] = {}
    factor = 1.0
    for trial in range(_MOST_TRIALS):
        scaled = _with_factor(settings, factor)
        representation = fit_signal(target, scaled, backend=backend)
        tried[factor] = measure(goal, representation, target, scaled, backend)
        progress((trial + 1) / _MOST_TRIALS)
        if _miss(goal, tried[factor]) <= (_CLOSE_DECIBELS if goal.kind == "psnr" else _CLOSE):
            break
        following = _next_factor(goal, tried)
        if following in tried:
            break
        factor = following
    progress(1.0)
    best = min(tried, key=lambda factor: _miss(goal, tried[factor]))
    return ReachedGoal(goal, _with_factor(settings, best), tried[best], len(tried))


def measure(
    goal: Goal,
    representation: Representation,
    target: Target,
    settings: CosineSettings,
    backend: str = "auto",
) -> float:
    """What a fitted representation has of the goal's kind."""
    if goal.kind == "bytes":
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.miner"
            metadata = metadata_of(target, settings, backend)
            save_model(path, replace(representation, metadata=metadata))
            return float(path.stat().st_size)
    decoded = representation.decode(0, backend=backend)
    if goal.kind == "error":
        return surface_error(decoded, target)
    fitted = target.scales[0]
    assert isinstance(fitted, SparseBlocks)
    error = mean_squared_error(decoded, fitted, target.grid.shape)
    # A picture that is met exactly is better than any goal.
    return min(peak_signal_to_noise(error, target.info.value_range or 1.0), 200.0)


def surface_error(decoded: SparseBlocks, target: Target) -> float:
    """Mean error of the distance at samples within half a voxel of the surface, in voxels."""
    source, total, count = target.scales[0], 0.0, 0
    near = _NEAR * target.units[0]
    per_chunk = max(1, CHUNK_SAMPLES // source.layout.block_samples)
    for ids in torch.split(source.varying_ids, per_chunk):
        values = source.read_blocks(ids)
        errors = (decoded.read_blocks(ids) - values).abs()
        beside = (values - target.iso_level).abs() < near
        total += float(errors[beside].double().sum())
        count += int(beside.sum())
    return total / count / target.units[0] if count else 0.0


def _with_factor(settings: CosineSettings, factor: float) -> CosineSettings:
    return replace(settings, step=settings.step * factor, coarse_step=settings.coarse_step * factor)


def _miss(goal: Goal, value: float) -> float:
    """How far a value is from the goal: relative, or in decibels."""
    if goal.kind == "psnr":
        return abs(value - goal.value)
    return abs(value / goal.value - 1)


def _next_factor(goal: Goal, tried: dict[float, float]) -> float:
    """Where the line through the two nearest trials, in logarithms, meets the goal."""

    def height(value: float) -> float:
        # Falls with the step for size and PSNR, rises for the error.
        if goal.kind == "psnr":
            return goal.value - value
        ratio = math.log(max(value, 1e-12) / goal.value)
        return ratio if goal.kind == "error" else -ratio

    points = sorted((math.log(factor), height(value)) for factor, value in tried.items())
    below = [point for point in points if point[1] < 0]
    above = [point for point in points if point[1] >= 0]
    low, high = math.log(_LEAST), math.log(_MOST)
    if below and above:
        first, second = below[-1], above[0]
        share = -first[1] / (second[1] - first[1])
        # Away from the ends, so that the bracket shrinks from both sides.
        share = min(max(share, 0.05), 0.95)
        found = first[0] + share * (second[0] - first[0])
    else:
        slope = {"psnr": 6.0, "error": 0.8, "bytes": 0.7}[goal.kind]
        end = below[-1] if below else above[0]
        found = end[0] - 1.2 * end[1] / slope
    return math.exp(min(max(found, low), high))
