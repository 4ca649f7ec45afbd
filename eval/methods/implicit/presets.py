"""Presets of implicit methods: a network, how it is trained, and on which loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from eval.methods.implicit.networks import NetworkSettings
from eval.methods.implicit.sampling import CloudTensors, SampleCounts
from eval.methods.implicit.training import Objective, Sampler, Schedule
from eval.methods.protocol import MethodPreset

Batch = TypeVar("Batch")

# Good after some minutes on two cores.
COMPACT_NETWORK = NetworkSettings(depth=4, width=128, skip=2)
COMPACT_SCHEDULE = Schedule(steps=12_000, rate=5e-3, halve_every=1500, floor=1e-5)
# The network of both papers; it needs a GPU.
PAPER_NETWORK = NetworkSettings(depth=8, width=512, skip=4)
PAPER_SCHEDULE = Schedule(steps=100_000, rate=5e-3, halve_every=2000, floor=5e-6)


class LossSettings(Protocol[Batch]):
    """The numbers of a loss; a dataclass, by which a checkpoint is recognized."""

    def sampler(self, cloud: CloudTensors, counts: SampleCounts) -> Sampler[Batch]:
        """What draws the batches of a cloud."""

    def objective(self, counts: SampleCounts) -> Objective[Batch]:
        """The loss of a network on a batch."""


@dataclass(frozen=True)
class ImplicitPreset(MethodPreset):
    """A network, how it is trained, and on which loss."""

    network: NetworkSettings
    schedule: Schedule
    counts: SampleCounts
    loss: LossSettings[Any]
