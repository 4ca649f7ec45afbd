"""MINER as one of the methods: from a mesh, a grid or oriented points."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from eval.clouds.point_cloud import PointCloud
from eval.errors import MethodError
from eval.methods.duplicate_points import remove_duplicates
from eval.methods.protocol import (
    GridSignal,
    MethodPreset,
    Options,
    Reconstruction,
    Source,
    SourceKind,
    Timings,
)
from eval.methods.registry import check_request
from eval.runs import peak_rss_bytes
from geom_miner import (
    FitSettings,
    Target,
    TriangleMesh,
    VoxelizeSettings,
    extract_level,
    fit_signal,
    fit_to_file,
    load_model,
    mesh_target,
    preset,
    save_model,
    sharpen,
)
from geom_miner.errors import PointsError
from geom_miner.fit import FitStatus, Observer, ScaleHistory, mlp_settings
from geom_miner.grid import SignalInfo, SourceInfo
from geom_miner.kernels import choose_device
from geom_miner.model import ScaleBlocks
from geom_miner.points import PointSurface
from geom_miner.progress import Progress
from geom_miner.targets import grid_around_points, points_target

# Approximate shares of the work that are done after preparing and after fitting.
_PREPARED, _FITTED = 0.15, 0.9


@dataclass(frozen=True)
class MinerPreset(MethodPreset):
    """One way to run it.

    Parameters
    ----------
    fit : name of the preset of the fit to a mesh or to points.
    fit_of_grid : name of the preset of the fit to a grid's own values; None if there is none.
    sharp : restore sharp edges after the extraction.
    """

    fit: str
    fit_of_grid: str | None
    sharp: bool = False


_PRESETS = {
    "compact": MinerPreset(
        "the distance to the surface, for the truest surface", "surface", "volume"
    ),
    "sharp": MinerPreset(
        "the same, sharpened: edges that marching cubes cuts off", "surface", None, True
    ),
    "exact": MinerPreset("the distance with every voxel on its side", "exact", None),
    "volume": MinerPreset("occupancy, every sample alike", "volume", "volume"),
    "fast": MinerPreset("occupancy, no voxel wrong at the lowest cost", "fast", "fast"),
    "paper": MinerPreset(
        "occupancy as the paper fits it", "miner-paper-volume", "miner-paper-volume"
    ),
    "release": MinerPreset(
        "occupancy as the released code fits it", "miner-release-volume", "miner-release-volume"
    ),
}


@dataclass(frozen=True)
class _Job:
    """The target to fit, and notes for a reader of the figures."""

    target: Target
    notes: tuple[str, ...]


class Miner:
    """MINER as a method."""

    name = "miner"
    title = "MINER (Saragadam et al. 2022), this project"
    takes: frozenset[SourceKind] = frozenset({"mesh", "grid", "oriented points"})
    presets: Mapping[str, MinerPreset] = _PRESETS
    dimensions = (3,)

    def reconstruct(self, source: Source, options: Options) -> Reconstruction:
        """Turn a source into a surface; see ``Method``. All figures refer to the model file.

        A budget in steps is divided among the scales in proportion to the preset's steps, so every
        scale has its complete schedule. A budget in seconds interrupts the fit: the current scale
        stops as it is, and each finer scale gets one round of 5 or 20 steps. Such a fit is written
        only at its end, so it has no checkpoint.
        """

        def on_mesh(share: float) -> None:
            _report(options, _FITTED + (1 - _FITTED) * share, "meshing")

        start = time.monotonic()
        check_request(self, source, options)
        name = _fit_preset(source, options)
        chosen = preset(name)
        settings = replace(mlp_settings(name), seed=options.seed)
        settings = _within(settings, options.budget.steps)
        device = choose_device(options.device)
        job = _prepare(source, chosen.target, settings, options)
        fitting = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            path = options.checkpoint or Path(folder) / "model.miner"
            history, cut = _fit(job, settings, path, device, options)
            meshing = time.monotonic()
            # Extract from the file, not from the fit in memory.
            representation = load_model(path).to(device)
            mesh = extract_level(
                representation,
                0,
                iso_level=job.target.info.iso_level or 0.5,
                progress=on_mesh,
            )
            if _PRESETS[options.preset].sharp:
                mesh = sharpen(mesh, job.target.grid.spacing[0])
            file_bytes = path.stat().st_size
        if not len(mesh.faces):
            raise MethodError(
                "no surface came out: the fit is on one side of it everywhere; give it more steps, "
                "or a source that encloses something at this resolution"
            )
        return Reconstruction(
            surface=mesh,
            timings=Timings(fitting - start, meshing - fitting, time.monotonic() - meshing),
            peak_rss_bytes=peak_rss_bytes(),
            parameters=representation.num_parameters,
            bytes=file_bytes,
            steps=sum(_steps_of(entry) for entry in history),
            notes=(*job.notes, *cut),
        )


def _fit_preset(source: Source, options: Options) -> str:
    """Name of the fit's preset for this source."""
    chosen = _PRESETS[options.preset]
    if isinstance(source, GridSignal):
        if chosen.fit_of_grid is None:
            raise MethodError(
                f"preset {options.preset} is for distances to a mesh or points, not for the values "
                "of a grid; take compact"
            )
        return chosen.fit_of_grid
    return chosen.fit


def _within(settings: FitSettings, steps: int | None) -> FitSettings:
    """Settings whose steps at all scales together are no more than ``steps``."""
    coarser = settings.scales - 1
    whole = settings.steps + coarser * settings.coarse_steps
    if steps is None or steps >= whole:
        return settings
    if steps < settings.scales:
        raise MethodError(
            f"steps must be at least {settings.scales}, one for each scale of miner, got {steps}"
        )
    coarse = max(1, settings.coarse_steps * steps // whole)
    return replace(
        settings, coarse_steps=coarse, steps=min(settings.steps, steps - coarser * coarse)
    )


def _prepare(source: Source, name: str, settings: FitSettings, options: Options) -> _Job:
    """Build the target of that name from a mesh or points, or use the values of a grid."""
    if isinstance(source, GridSignal):
        info = SignalInfo(kind="occupancy", target="occupancy", iso_level=source.iso_level)
        return _Job(Target.pooled(source.blocks, settings.scales, source.grid, info), ())
    if isinstance(source, PointCloud):
        return _from_points(source, name, settings, options)
    return _from_mesh(source, name, settings, options)


def _from_mesh(mesh: TriangleMesh, name: str, settings: FitSettings, options: Options) -> _Job:
    shares = iter([(0.0, 0.5), (0.5, 1.0)])

    def stages(description: str) -> AbstractContextManager[Progress]:
        return nullcontext(_preparation_progress(options, *next(shares), description))

    made = mesh_target(
        mesh,
        name,
        VoxelizeSettings(options.resolution),
        scales=settings.scales,
        block_size=settings.block_size,
        source=SourceInfo(faces=len(mesh.faces)),
        stages=stages,
    )
    report = made.occupancy.report
    return _Job(made.target, (f"Inside was decided by {report.method}: {report.reason}.",))


def _from_points(cloud: PointCloud, name: str, settings: FitSettings, options: Options) -> _Job:
    _report(options, 0, "analyzing the points")
    cloud = remove_duplicates(cloud)
    try:
        surface = PointSurface(cloud.points, cloud.normals)
        grid = grid_around_points(surface, options.resolution)
        target = points_target(
            surface,
            grid,
            values=name,
            scales=settings.scales,
            block_size=settings.block_size,
            progress=_preparation_progress(options, 0.2, 1, "measuring distances"),
        )
    except PointsError as error:
        raise MethodError(str(error)) from error
    return _Job(target, surface.describe(grid.spacing[0]))


class _FitObserver(Observer):
    """Forwards the progress of a fit, and ends scales after a deadline."""

    def __init__(self, options: Options) -> None:
        self._options = options
        seconds = options.budget.seconds
        self._deadline = None if seconds is None else time.monotonic() + seconds
        self.watches_rounds = seconds is not None
        self.history: list[ScaleHistory] = []
        self.cut_at: int | None = None
        """The scale at which the time ran out; None if it did not."""

    def on_progress(self, status: FitStatus) -> None:
        share = _PREPARED + (_FITTED - _PREPARED) * status.done
        _report(self._options, share, f"fitting scale {status.scale}")

    def on_scale(self, blocks: ScaleBlocks, history: ScaleHistory) -> None:
        self.history.append(history)

    def should_stop(self, blocks: ScaleBlocks) -> bool:
        if self._deadline is None or time.monotonic() < self._deadline:
            return False
        if self.cut_at is None:
            self.cut_at = blocks.scale
        return True


def _fit(
    job: _Job, settings: FitSettings, path: Path, device: str, options: Options
) -> tuple[Sequence[ScaleHistory], tuple[str, ...]]:
    """Write the fitted model to the path; returns its history, and a note if time ran out."""
    target, seconds = job.target.to(device), options.budget.seconds
    observer = _FitObserver(options)
    if seconds is None:
        return fit_to_file(target, settings, path, observer=observer).history, ()
    representation = fit_signal(target, settings, observer=observer)
    save_model(path, representation)
    if observer.cut_at is None:
        return observer.history, ()
    return observer.history, (_describe_interruption(seconds, observer.history, observer.cut_at),)


def _describe_interruption(seconds: float, history: Sequence[ScaleHistory], scale: int) -> str:
    steps = ", ".join(f"{_steps_of(entry)} at scale {entry.scale}" for entry in history)
    return f"The budget of {seconds:g} seconds ended at scale {scale}; steps done: {steps}."


def _steps_of(entry: ScaleHistory) -> int:
    """Optimizer steps of a scale: of each of its blocks, which are independent."""
    return max((step for _, step, _, _ in entry.curve), default=0)


def _preparation_progress(options: Options, first: float, last: float, status: str) -> Progress:
    """Progress of a part of the preparation, from ``first`` to ``last`` of the preparation."""
    return lambda share: _report(options, _PREPARED * (first + (last - first) * share), status)


def _report(options: Options, share: float, status: str) -> None:
    if options.progress is not None:
        # The protocol's shares begin above 0.
        options.progress(min(max(share, 1e-3), 1.0), status)


MINER = Miner()
