"""IGR: a distance function learned from points alone (Gropp et al. 2020)."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch

from eval.methods.implicit.networks import ImplicitNetwork, NetworkSettings
from eval.methods.implicit.reconstruction import Preset, check_trial, reconstruct_implicit
from eval.methods.implicit.sampling import Batch, CloudSampler, SampleCounts
from eval.methods.implicit.training import Loss, Schedule
from eval.methods.protocol import Kind, Options, Reconstruction, Source


@dataclass(frozen=True)
class IGRObjective:
    """mean |f(x)| + eikonal mean (|grad f(y)| - 1)^2 + normals mean |grad f(x) - n|.

    x are points of the cloud and n their normals, y points near the surface and anywhere; the
    last term only with normals. Paper, equations 2 and 3.
    """

    eikonal: float = 0.1
    normals: float = 1.0

    def __call__(self, network: ImplicitNetwork, batch: Batch) -> Loss:
        """The loss of a batch."""
        elsewhere = torch.cat([batch.near, batch.anywhere])
        if batch.normals is None:
            values = network(batch.surface)
            _, slopes = network.value_and_gradient(elsewhere)
        else:
            points = torch.cat([batch.surface, elsewhere])
            values, gradients = network.value_and_gradient(points)
            values, slopes = values[: len(batch.surface)], gradients[len(batch.surface) :]
        parts = {
            "surface": values.abs().mean(),
            "eikonal": (slopes.norm(dim=1) - 1).square().mean(),
        }
        total = parts["surface"] + self.eikonal * parts["eikonal"]
        if batch.normals is not None:
            facing = gradients[: len(batch.surface)]
            parts["normals"] = (facing - batch.normals).norm(dim=1).mean()
            total = total + self.normals * parts["normals"]
        return Loss(total, parts)


_PRESETS = {
    "compact": Preset(
        "a small network, good after some minutes on two cores",
        NetworkSettings(depth=4, width=128, skip=2),
        Schedule(steps=12_000, rate=5e-3, halve_every=1500, floor=1e-5),
        SampleCounts(surface=512, anywhere=64, box=1.2),
    ),
    "paper": Preset(
        "the paper's network and 100,000 steps, for a GPU",
        NetworkSettings(depth=8, width=512, skip=4),
        Schedule(steps=100_000, rate=5e-3, halve_every=2000, floor=5e-6),
        SampleCounts(surface=16_384, anywhere=2048, box=1.8),
    ),
}


class ImplicitGeometricRegularization:
    """IGR as a method."""

    def __init__(self) -> None:
        self.name = "igr"
        self.title = "IGR (Gropp et al. 2020)"
        self.takes: frozenset[Kind] = frozenset({"oriented points", "points"})
        self.presets = {name: preset.sentence for name, preset in _PRESETS.items()}
        self.dimensions: tuple[int, ...] = (2, 3)

    def reconstruct(self, source: Source, options: Options) -> Reconstruction:
        """Turn a cloud into a surface; see ``Method``."""
        trial = check_trial("IGR", _PRESETS, source, options)
        objective = IGRObjective()
        return reconstruct_implicit(trial, objective, CloudSampler.draw, asdict(objective))


IGR = ImplicitGeometricRegularization()
