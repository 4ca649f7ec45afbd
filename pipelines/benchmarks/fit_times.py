"""How long a whole fit takes to reach a quality; each fit in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch

from eval import iou_voxel_sparse, psnr_sparse
from eval.isolation import in_own_process
from eval.runs import peak_rss_bytes
from eval.shapes import find_data_file, find_shape
from geom_miner import (
    Representation,
    SampleGrid,
    Target,
    VoxelizeSettings,
    fit_signal,
    mesh_target,
    preset,
    read_image,
)
from geom_miner.fit import AnySettings, FitSettings, Observer, ScaleHistory
from geom_miner.grid import SparseBlocks
from geom_miner.kernels import load_backend
from geom_miner.media import ImageSignal, image_to_blocks
from geom_miner.model import ScaleBlocks
from geom_miner.targets import image_target
from geom_miner.terminal import Terminal

# How good a decoded signal is, by the name of each measure; larger is better.
Quality = Callable[[SparseBlocks], dict[str, float]]


@dataclass(frozen=True)
class TimedFit:
    """One contender on one signal."""

    kind: str
    """volume or image."""
    signal: str
    """A shape, as ``find_shape`` takes it, or an image file in the data folders."""
    resolution: int
    """Voxels along the longest side, or pixels along the width."""
    scales: int
    preset: str
    backend: str
    device: str
    goals: tuple[float, ...]
    """IoU, or PSNR in dB, whose times are noted."""
    every: int
    """Steps between two looks where blocks are coupled; other fits are looked at every round."""
    patience: float
    """Seconds after which the fit is given up."""


def run_alone(job: TimedFit) -> dict[str, Any]:
    """``time_to_quality`` in a process of its own."""
    return in_own_process(time_to_quality, job)


def time_to_quality(job: TimedFit) -> dict[str, Any]:
    """Fit and note when each goal is reached at the finest scale; looking is not timed.

    Ends at the last goal, at the settings' own limit, or when patience ends.
    """
    settings = replace(preset(job.preset).settings, scales=job.scales)
    build = _volume if job.kind == "volume" else _image
    target, quality = build(job, settings)
    target = target.to(job.device)
    load_backend(job.backend, target.device).prepare()
    memory_before = peak_rss_bytes()
    watch = _Watch(job, target.grid, settings, quality)
    fit_signal(target, settings, observer=watch, backend=job.backend)
    wall = time.perf_counter() - watch.began - watch.looking
    return {
        "seconds_to": watch.reached,
        "best": watch.best,
        "seconds": wall,
        "given_up": wall > job.patience,
        "kernel_share": sum(entry.kernel_seconds for entry in watch.history) / wall,
        "parameters": sum(entry.parameters for entry in watch.history),
        "block_steps": sum(entry.block_steps for entry in watch.history),
        "peak_rss_bytes": peak_rss_bytes(),
        "peak_rss_bytes_before_fit": memory_before,
        "peak_device_bytes": torch.cuda.max_memory_allocated() if job.device == "cuda" else None,
    }


class _Watch(Observer):
    """Evaluates a fit between its rounds."""

    watches_rounds = True

    def __init__(
        self, job: TimedFit, grid: SampleGrid, settings: AnySettings, quality: Quality
    ) -> None:
        self._job, self._grid, self._settings, self._quality = job, grid, settings, quality
        self._scales: list[ScaleBlocks] = []
        # A round is one step where the settings couple the blocks, and several elsewhere.
        coupled = isinstance(settings, FitSettings) and settings.coupled
        self._every, self._rounds = job.every if coupled else 1, 0
        self.history: list[ScaleHistory] = []
        self.reached: dict[str, float] = {}
        self.best: dict[str, float] = {}
        self.looking, self.began = 0.0, time.perf_counter()

    def should_stop(self, blocks: ScaleBlocks) -> bool:
        start = time.perf_counter()
        elapsed = start - self.began - self.looking
        late = elapsed > self._job.patience
        if blocks.scale:
            return late
        self._rounds += 1
        if self._rounds % self._every and not late:
            return False
        model = Representation(self._grid, self._settings.scales, (*self._scales, blocks))
        found = self._quality(model.decode(0, backend=self._job.backend))
        for name, value in found.items():
            self.best[name] = max(value, self.best.get(name, value))
            for goal in self._job.goals:
                if value >= goal:
                    self.reached.setdefault(f"{goal:g} {name}", elapsed)
        self.looking += time.perf_counter() - start
        return late or len(self.reached) == len(found) * len(self._job.goals)

    def on_scale(self, blocks: ScaleBlocks, history: ScaleHistory) -> None:
        self._scales.append(blocks)
        self.history.append(history)


def _volume(job: TimedFit, settings: AnySettings) -> tuple[Target, Quality]:
    mesh = find_shape(job.signal, offline=True, console=Terminal(quiet=True)).mesh
    made = mesh_target(
        mesh,
        "occupancy",
        VoxelizeSettings(resolution=job.resolution),
        scales=settings.scales,
        block_size=settings.block_size,
    )
    grid, truth = made.target.grid, made.occupancy.blocks.to(job.device)

    def quality(decoded: SparseBlocks) -> dict[str, float]:
        same = truth.extended(decoded.layout)
        return {
            f"at {threshold}": iou_voxel_sparse(
                decoded, same, shape=grid.shape, threshold=threshold
            )
            for threshold in (0.4, 0.5)
        }

    return made.target, quality


def _image(job: TimedFit, settings: AnySettings) -> tuple[Target, Quality]:
    image = _resized(read_image(find_data_file(job.signal)), job.resolution)
    target = image_target(image, scales=settings.scales, block_size=settings.block_size)
    truth = image_to_blocks(image, settings.block_size)[0].to(job.device)

    def quality(decoded: SparseBlocks) -> dict[str, float]:
        same = truth.extended(decoded.layout)
        return {"dB": psnr_sparse(decoded, same, shape=target.grid.shape)}

    return target, quality


def _resized(image: ImageSignal, width: int) -> ImageSignal:
    """Averaged down to a width, proportions kept."""
    rows, columns, _ = image.samples.shape
    planes = torch.from_numpy(image.samples).permute(2, 0, 1)[None]
    size = (round(rows * width / columns), width)
    small = torch.nn.functional.interpolate(planes, size, mode="area")[0]
    return ImageSignal(small.permute(1, 2, 0).contiguous().numpy(), image.bits)
