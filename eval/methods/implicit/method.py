"""A method that trains a network on a cloud and extracts its zero set; only the loss differs."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch

from eval.clouds.point_cloud import PointCloud
from eval.methods.implicit.checkpoint import Checkpoint
from eval.methods.implicit.level_set import extract_level_set, extraction_grid
from eval.methods.implicit.networks import ImplicitNetwork
from eval.methods.implicit.normalization import Normalization
from eval.methods.implicit.outcome import check_surface, orient_outward
from eval.methods.implicit.presets import ImplicitPreset
from eval.methods.implicit.sampling import CloudTensors
from eval.methods.implicit.training import train
from eval.methods.protocol import Options, Reconstruction, Source, SourceKind, Timings
from eval.methods.registry import check_request
from eval.runs import peak_rss_bytes
from geom_miner.kernels import choose_device

_FLOAT_BYTES = 4


@dataclass(frozen=True)
class ImplicitMethod:
    """A method given by its presets, which hold its loss."""

    name: str
    title: str
    presets: Mapping[str, ImplicitPreset]
    takes: frozenset[SourceKind] = frozenset({"oriented points", "points"})
    dimensions: tuple[int, ...] = (2, 3)

    def reconstruct(self, source: Source, options: Options) -> Reconstruction:
        """Turn a cloud into a surface; see ``Method``.

        Raises
        ------
        MethodError
            The request is impossible, training diverged, no surface came out, or the checkpoint
            cannot be used.
        SettingsError
            The device is not available.
        """
        check_request(self, source, options)
        assert isinstance(source, PointCloud)
        choose_device(options.device)
        preset = self.presets[options.preset]
        start = time.monotonic()
        normalization = Normalization.of(source)
        points = normalization.apply(source.points)
        cloud = CloudTensors(points, source.normals, options.device)
        sampler = preset.loss.sampler(cloud, preset.counts)
        network = ImplicitNetwork(
            source.ndim, preset.network, torch.Generator().manual_seed(options.seed)
        ).to(options.device)
        checkpoint = None
        if options.checkpoint is not None:
            checkpoint = Checkpoint(options.checkpoint, self._run_metadata(source, options))
        prepared = time.monotonic()

        trained = train(
            network,
            sampler,
            preset.loss.objective(preset.counts),
            preset.schedule,
            torch.Generator(options.device).manual_seed(options.seed),
            budget=options.budget,
            checkpoint=checkpoint,
            progress=options.progress,
        )

        extracting = time.monotonic()
        grid = extraction_grid(points.min(axis=0), points.max(axis=0), options.resolution)
        function, notes = orient_outward(network, grid, options.device)
        surface = extract_level_set(function, grid, options.device)
        notes += check_surface(surface, points)
        return Reconstruction(
            surface=normalization.restore(surface),
            timings=Timings(prepared - start, trained.seconds, time.monotonic() - extracting),
            peak_rss_bytes=peak_rss_bytes(),
            parameters=network.num_parameters,
            bytes=_FLOAT_BYTES * network.num_parameters,
            steps=trained.steps,
            notes=notes,
        )

    def _run_metadata(self, cloud: PointCloud, options: Options) -> dict[str, Any]:
        """Everything that determines the run; a checkpoint belongs to one run only."""
        digest = hashlib.sha256(cloud.points.tobytes())
        if cloud.normals is not None:
            digest.update(b"normals" + cloud.normals.tobytes())
        return {
            "method": self.name,
            "cloud": digest.hexdigest(),
            "preset": asdict(self.presets[options.preset]),
            "budget": asdict(options.budget),
            "seed": options.seed,
            "device": options.device,
        }
