"""From a cloud to a surface with a network between: what all implicit methods do alike."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import torch

from eval.clouds.point_cloud import PointCloud
from eval.errors import MethodError
from eval.methods.implicit.checkpoint import Checkpoint
from eval.methods.implicit.level_set import extract_level_set, extraction_grid
from eval.methods.implicit.networks import ImplicitNetwork, NetworkSettings
from eval.methods.implicit.normalization import Normalization
from eval.methods.implicit.outcome import check_surface, outward
from eval.methods.implicit.sampling import CloudSampler, SampleCounts
from eval.methods.implicit.training import Objective, Schedule, train
from eval.methods.protocol import Options, Reconstruction, Source, Timings
from eval.runs import peak_rss_bytes
from geom_miner.kernels import choose_device

B = TypeVar("B")

_LOWEST_RESOLUTION = 8
_FLOAT_BYTES = 4


@dataclass(frozen=True)
class Preset:
    """One way to run a method, and the sentence that says what it is for."""

    sentence: str
    network: NetworkSettings
    schedule: Schedule
    counts: SampleCounts


@dataclass(frozen=True)
class Trial:
    """What is asked for, checked: a cloud, its options and the method's preset of that name."""

    method: str
    cloud: PointCloud
    options: Options
    preset: Preset


def check_trial(
    method: str, presets: Mapping[str, Preset], source: Source, options: Options
) -> Trial:
    """Say no before anything is computed.

    Raises
    ------
    MethodError
        The source is no cloud, the preset of an unknown name, the resolution too low.
    SettingsError
        The device is not there.
    """
    if not isinstance(source, PointCloud):
        raise MethodError(f"{method} needs points; sample them from the {type(source).__name__}")
    if options.preset not in presets:
        raise MethodError(
            f"preset of {method} must be one of {', '.join(presets)}, got {options.preset!r}"
        )
    if options.device not in ("cpu", "cuda"):
        raise MethodError(f"device must be cpu or cuda, got {options.device!r}")
    choose_device(options.device)
    if options.resolution < _LOWEST_RESOLUTION:
        raise MethodError(
            f"resolution must be at least {_LOWEST_RESOLUTION}, got {options.resolution}"
        )
    return Trial(method, source, options, presets[options.preset])


def reconstruct_implicit(
    trial: Trial,
    objective: Objective[B],
    draw: Callable[[CloudSampler, torch.Generator], B],
    facts: Mapping[str, Any],
) -> Reconstruction:
    """Train a network on a cloud and cut out its zero set.

    Parameters
    ----------
    trial : from ``check_trial``.
    objective : the method's loss.
    draw : its batches; ``CloudSampler.draw`` gives IGR's.
    facts : the objective's own settings, JSON-able, by which a checkpoint is known.

    Raises
    ------
    MethodError
        Training diverged, no surface came out, or the checkpoint can't be used.
    """
    cloud, options, preset = trial.cloud, trial.options, trial.preset
    start = time.monotonic()
    normalization = Normalization.of(cloud)
    points = normalization.apply(cloud.points)
    sampler = CloudSampler(points, cloud.normals, preset.counts, options.device)
    generator = torch.Generator(options.device).manual_seed(options.seed)
    network = ImplicitNetwork(
        cloud.ndim, preset.network, torch.Generator().manual_seed(options.seed)
    ).to(options.device)
    checkpoint = None
    if options.checkpoint is not None:
        checkpoint = Checkpoint(options.checkpoint, {**_facts(trial), **facts})
    prepared = time.monotonic()

    def draw_batch(generator: torch.Generator) -> B:
        return draw(sampler, generator)

    trained = train(
        network,
        draw_batch,
        objective,
        preset.schedule,
        generator,
        budget=options.budget,
        checkpoint=checkpoint,
        progress=options.progress,
    )

    cutting = time.monotonic()
    grid = extraction_grid(points.min(axis=0), points.max(axis=0), options.resolution)
    function, notes = outward(network, grid, options.device)
    surface = extract_level_set(function, grid, options.device)
    notes += check_surface(surface, points)
    return Reconstruction(
        surface=normalization.restore(surface),
        timings=Timings(prepared - start, trained.seconds, time.monotonic() - cutting),
        peak_rss_bytes=peak_rss_bytes(),
        parameters=network.num_parameters,
        bytes=_FLOAT_BYTES * network.num_parameters,
        steps=trained.steps,
        notes=notes,
    )


def _facts(trial: Trial) -> dict[str, Any]:
    cloud, options = trial.cloud, trial.options
    digest = hashlib.sha256(cloud.points.tobytes())
    if cloud.normals is not None:
        digest.update(b"normals" + cloud.normals.tobytes())
    return {
        "method": trial.method,
        "cloud": digest.hexdigest(),
        "preset": asdict(trial.preset),
        "budget": asdict(options.budget),
        "seed": options.seed,
        "device": options.device,
    }
