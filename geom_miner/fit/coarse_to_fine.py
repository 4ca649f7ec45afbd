"""The MINER loop: predict from the coarser scale, fit the residual block by block, go finer."""

from __future__ import annotations

import time

import torch

from geom_miner.errors import BlockShapeError, SettingsError
from geom_miner.fit.block_fitter import ScaleJob
from geom_miner.fit.history import ScaleHistory
from geom_miner.fit.observer import SILENT, Observer
from geom_miner.fit.progress_report import ProgressReport
from geom_miner.fit.resume import NOTHING, Resume
from geom_miner.fit.scale_fit import FITTERS, ScaleFit
from geom_miner.fit.settings import BlockSettings, FitSettings
from geom_miner.fit.training import check_finite
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.grid.target import Target
from geom_miner.kernels.backends import load_backend, load_cosine_backend
from geom_miner.model.decode import decode_scale
from geom_miner.model.representation import Representation
from geom_miner.model.scale_blocks import ScaleBlocks

# Default memory budget (128 MiB). A killed fit loses at most one batch, about 20 s of work on two
# cores.
DEFAULT_MEMORY = 1 << 27


def fit_signal(
    target: Target,
    settings: BlockSettings,
    *,
    observer: Observer = SILENT,
    resume: Resume = NOTHING,
    backend: str = "auto",
    memory: int = DEFAULT_MEMORY,
) -> Representation:
    """Fit a representation, coarse to fine (MINER, section 3).

    Parameters
    ----------
    target : on blocks of ``settings.block_size`` samples along every axis; the fit is computed on
        the device that it lies on.
    observer : is called as the fit goes on, and may end scales early.
    resume : what an earlier run of the same fit has finished.
    backend : kernel to compute with; "auto" chooses by the device.
    memory : bytes that blocks under training may take, about: a scale is fitted in batches of
        blocks that fit in, of 64 blocks at least. The result is the same for any number. Settings
        that couple the blocks of a scale, and an observer that watches rounds, need all of a
        scale's blocks at once.

    Raises
    ------
    BlockShapeError
        The target's blocks do not match the settings.
    SettingsError
        The target was made for another number of scales; a dead zone for a distance; a certified
        fit of an exact target.
    """
    _check_target(target, settings)
    load = load_backend if settings.kind == "mlp" else load_cosine_backend
    load(backend, target.device).prepare()
    report = _progress_report(target, settings, observer)

    reconstruction: SparseBlocks | None = None
    scales: list[ScaleBlocks] = []
    for scale in reversed(range(settings.scales)):
        start, history = time.perf_counter(), None
        if len(scales) < len(resume.scales):
            blocks = resume.scales[len(scales)].to(target.device)
            FITTERS[settings.kind].check_scale(blocks, target, settings)
        else:
            coarser = scales[-1] if scales else None
            job = ScaleJob(scale, target, settings, reconstruction, coarser, backend)
            left = resume if len(scales) == len(resume.scales) else NOTHING
            fit = ScaleFit(job, resume=left, memory=memory, observer=observer, report=report)
            blocks, history = fit.run(), fit.history
        reconstruction = decode_scale(reconstruction, blocks, backend=backend)
        if history is not None:
            _complete(history, start, reconstruction, target, blocks)
            observer.on_scale(blocks, history)
        scales.append(blocks)
    return Representation(target.grid, settings.scales, tuple(scales), target.info)


def _check_target(target: Target, settings: BlockSettings) -> None:
    layout = target.layout
    if layout.block_shape != (settings.block_size,) * layout.ndim:
        raise BlockShapeError(
            f"target must have blocks of {settings.block_size} samples along each of its "
            f"{layout.ndim} axes, got blocks of {layout.block_shape}"
        )
    if len(target.scales) != settings.scales:
        raise SettingsError(
            f"scales is {settings.scales}, but the target was made for {len(target.scales)}; "
            "make it again"
        )
    if not isinstance(settings, FitSettings):
        return
    if settings.dead_zone and not target.is_exact(0):
        raise SettingsError(
            f"dead_zone is {settings.dead_zone:g}, but only occupancy has one; take 0, or another "
            "preset, for a distance"
        )
    if settings.certify and target.is_exact(0):
        raise SettingsError("certify is for a distance; for an occupancy take a dead zone")


def _progress_report(target: Target, settings: BlockSettings, observer: Observer) -> ProgressReport:
    cost = FITTERS[settings.kind].step_cost
    costs = [cost(scale, target, settings) for scale in range(settings.scales)]
    return ProgressReport(target, settings, costs, observer)


def _complete(
    history: ScaleHistory,
    start: float,
    reconstruction: SparseBlocks,
    target: Target,
    blocks: ScaleBlocks,
) -> None:
    """Fill in the loss of the finished scale as it will decode, and its time."""
    history.loss = _loss_of(reconstruction, target, blocks)
    check_finite(torch.tensor(history.loss), blocks.scale)
    history.seconds = time.perf_counter() - start


def _loss_of(reconstruction: SparseBlocks, target: Target, blocks: ScaleBlocks) -> float:
    """Mean squared error of the fitted blocks over the samples that are held to their values."""
    ids = blocks.fitted_ids
    if not len(ids):
        return 0.0
    lower, upper = target.bounds(blocks.scale, target.scales[blocks.scale].read_blocks(ids))
    values = reconstruction.read_blocks(ids)
    exact = 1.0 if upper is lower else max(float((upper == lower).float().mean()), 1e-9)
    return float((values - values.clamp(lower, upper)).square().mean()) / exact
