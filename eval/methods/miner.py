"""MINER, ours, as one method among others: from a mesh, a grid or oriented points."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from eval.clouds.point_cloud import PointCloud
from eval.errors import MethodError
from eval.methods.distinct_points import distinct
from eval.methods.point_field.surface import PointSurface
from eval.methods.points_to_field import grid_around, sentence, target_of_points
from eval.methods.protocol import (
    Grid,
    Kind,
    Options,
    Reconstruction,
    Source,
    Timings,
)
from eval.runs import peak_rss_bytes
from geom_miner import (
    FitSettings,
    SampleGrid,
    Target,
    TriangleMesh,
    VoxelizeSettings,
    extract_level,
    fit_signal,
    fit_to_file,
    load_model,
    preset,
    save_model,
    sharpen,
    voxelize_mesh,
)
from geom_miner.fit import ScaleHistory, target_for
from geom_miner.grid import SparseBlocks
from geom_miner.kernels import choose_device
from geom_miner.voxelize import target_of

# Shares of the whole, about, that preparing and fitting take.
_PREPARED, _FITTED = 0.15, 0.9


@dataclass(frozen=True)
class Preset:
    """A preset of fits for a surface, and the one for a grid's own values, if there is one."""

    sentence: str
    fit: str
    fit_of_grid: str | None
    sharp: bool = False


_PRESETS = {
    "compact": Preset("the distance to the surface, for the truest surface", "surface", "volume"),
    "sharp": Preset(
        "the same, sharpened: edges that marching cubes cuts off", "surface", None, True
    ),
    "exact": Preset("the distance with every voxel on its side", "exact", None),
    "volume": Preset("occupancy, every sample alike", "volume", "volume"),
    "fast": Preset("occupancy, no voxel wrong at the lowest cost", "fast", "fast"),
    "paper": Preset("occupancy as the paper fits it", "miner-paper-volume", "miner-paper-volume"),
    "release": Preset(
        "occupancy as the released code fits it", "miner-release-volume", "miner-release-volume"
    ),
}


@dataclass(frozen=True)
class _Job:
    """What is to be fitted, and at which level its surface is."""

    signal: SparseBlocks | Target
    grid: SampleGrid
    level: float
    notes: tuple[str, ...]


class Miner:
    """MINER as a method."""

    def __init__(self) -> None:
        self.name = "miner"
        self.title = "MINER (Saragadam et al. 2022), this project"
        self.takes: frozenset[Kind] = frozenset({"mesh", "grid", "oriented points"})
        self.presets = {name: preset.sentence for name, preset in _PRESETS.items()}
        self.dimensions: tuple[int, ...] = (3,)

    def reconstruct(self, source: Source, options: Options) -> Reconstruction:
        """Turn a source into a surface; see ``Method``. All that is told is of the file.

        A budget of steps is shared among the scales as the preset's steps are, so that every scale
        has its whole schedule. A budget in seconds cuts: the scale that it ends in stops as it is,
        and finer ones get one round of 5 or 20 steps each. What is fitted under it is written once,
        at its end, so there is nothing to go on from.
        """

        def on_mesh(done: float, total: float) -> None:
            _tell(options, _FITTED + (1 - _FITTED) * done / total, "meshing")

        start = time.monotonic()
        name = _fit_preset(source, options)
        settings = _within(replace(preset(name), seed=options.seed), options.budget.steps)
        device = choose_device(options.device)
        job = _prepare(source, name, settings, options)
        fitting = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            path = options.checkpoint or Path(folder) / "model.miner"
            history, cut = _fit(job, settings, path, device, options)
            meshing = time.monotonic()
            # What counts is the file.
            representation = load_model(path).to(device)
            mesh = extract_level(
                representation,
                0,
                iso_level=job.level,
                on_progress=on_mesh,
            )
            if _PRESETS[options.preset].sharp:
                mesh = sharpen(mesh, job.grid.spacing[0])
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
    """Name of the fit's preset, after a look at the source."""
    if options.preset not in _PRESETS:
        raise MethodError(
            f"preset of miner must be one of {', '.join(_PRESETS)}, got {options.preset!r}"
        )
    chosen = _PRESETS[options.preset]
    if isinstance(source, Grid):
        if source.grid.ndim != 3:
            raise MethodError(
                f"miner needs a grid of 3 axes to cut a surface from, got {source.grid.ndim}"
            )
        if chosen.fit_of_grid is None:
            raise MethodError(
                f"preset {options.preset} is for distances to a mesh or points, not for the values "
                "of a grid; take compact"
            )
        return chosen.fit_of_grid
    if isinstance(source, PointCloud):
        if source.ndim != 3:
            raise MethodError(
                f"miner needs points in 3 dimensions, got {source.ndim}; take igr or phase"
            )
        if source.normals is None:
            raise MethodError(
                "miner needs a normal for every point and the cloud has none; add columns nx, ny "
                "and nz that point outward, or take a method that needs none: igr or phase"
            )
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
    if isinstance(source, Grid):
        return _Job(source.blocks, source.grid, source.level, ())
    if isinstance(source, PointCloud):
        return _from_points(source, name, settings, options)
    return _from_mesh(source, name, settings, options)


def _from_mesh(mesh: TriangleMesh, name: str, settings: FitSettings, options: Options) -> _Job:
    voxels = VoxelizeSettings(options.resolution, target=target_for(name))
    occupancy = voxelize_mesh(
        mesh, voxels, block_size=settings.block_size, progress=_part(options, 0, 0.5, "voxelizing")
    )
    target = target_of(
        mesh, occupancy, voxels, scales=settings.scales,
        progress=_part(options, 0.5, 1, "measuring distances"),
    )  # fmt: skip
    note = f"Inside was decided by {occupancy.report.method}: {occupancy.report.why}."
    return _Job(target, occupancy.grid, 0.5, (note,))


def _from_points(cloud: PointCloud, name: str, settings: FitSettings, options: Options) -> _Job:
    _tell(options, 0, "looking at the points")
    surface = PointSurface(distinct(cloud))
    grid = grid_around(cloud, options.resolution)
    target = target_of_points(
        surface,
        grid,
        distance=target_for(name) == "distance",
        scales=settings.scales,
        block_size=settings.block_size,
        progress=_part(options, 0.2, 1, "measuring distances"),
    )
    return _Job(target, grid, 0.5, (sentence(surface, grid),))


def _fit(
    job: _Job, settings: FitSettings, path: Path, device: str, options: Options
) -> tuple[Sequence[ScaleHistory], tuple[str, ...]]:
    """Leave the fitted model at the path; what was done, and a note if time ran out."""
    signal, seconds = job.signal.to(device), options.budget.seconds
    info = {"kind": "occupancy", "iso_level": job.level}

    def on_progress(done: float, scale: int) -> None:
        _tell(options, _PREPARED + (_FITTED - _PREPARED) * done, f"fitting scale {scale}")

    if seconds is None:
        result = fit_to_file(
            signal, job.grid, settings, path, info=info,
            on_progress=lambda report: on_progress(report.done, report.scale),
        )  # fmt: skip
        return result.history, ()
    deadline = time.monotonic() + seconds
    history: list[ScaleHistory] = []
    late: list[int] = []

    def out_of_time(blocks: object) -> bool:
        if time.monotonic() < deadline:
            return False
        late.append(settings.scales - 1 - len(history))
        return True

    representation = fit_signal(
        signal, job.grid, settings, info=info, monitor=out_of_time,
        on_scale=lambda _, entry: history.append(entry),
        on_progress=lambda report: on_progress(report.done, report.scale),
    )  # fmt: skip
    save_model(path, representation)
    if not late:
        return history, ()
    return history, (_what_was_cut(seconds, history, late[0]),)


def _what_was_cut(seconds: float, history: Sequence[ScaleHistory], scale: int) -> str:
    steps = ", ".join(f"{_steps_of(entry)} at scale {entry.scale}" for entry in history)
    return f"The budget of {seconds:g} seconds ended at scale {scale}; steps done: {steps}."


def _steps_of(entry: ScaleHistory) -> int:
    """Optimizer steps of a scale; its blocks are independent, so those of one batch or all."""
    return max((step for _, step, _, _ in entry.curve), default=0)


def _part(options: Options, first: float, last: float, words: str) -> Callable[[float], None]:
    """Progress of a part of the preparation, from its own shares in (0, 1]."""
    return lambda share: _tell(options, _PREPARED * (first + (last - first) * share), words)


def _tell(options: Options, share: float, words: str) -> None:
    if options.progress is not None:
        # The protocol's shares begin above 0.
        options.progress(min(max(share, 1e-3), 1.0), words)


MINER = Miner()
