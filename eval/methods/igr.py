"""IGR: a distance function learned from points alone (Gropp et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from eval.methods.implicit.method import ImplicitMethod
from eval.methods.implicit.networks import ImplicitNetwork
from eval.methods.implicit.presets import (
    COMPACT_NETWORK,
    COMPACT_SCHEDULE,
    PAPER_NETWORK,
    PAPER_SCHEDULE,
    ImplicitPreset,
)
from eval.methods.implicit.sampling import CloudBatch, CloudTensors, SampleCounts, draw_uniform
from eval.methods.implicit.training import Loss, Sampler


@dataclass(frozen=True)
class IGRBatch(CloudBatch):
    """Points of one step.

    Parameters
    ----------
    near : (n, ndim) surface points, each moved at random.
    anywhere : (m, ndim) points uniform in the box.
    """

    near: Tensor
    anywhere: Tensor


@dataclass(frozen=True)
class IGRLoss:
    """mean |f(x)| + eikonal mean (|grad f(y)| - 1)^2 + normals mean |grad f(x) - n|.

    x are points of the cloud and n their normals, y points near the surface and anywhere. Clouds
    without normals omit the last term. Equations 2 and 3 of the paper.
    """

    eikonal: float = 0.1
    normals: float = 1.0

    def objective(self, counts: SampleCounts) -> IGRLoss:
        """The loss itself: it does not depend on the numbers of points."""
        return self

    def sampler(self, cloud: CloudTensors, counts: SampleCounts) -> Sampler[IGRBatch]:
        """Draws points of the cloud, near it, and in the box.

        A point is moved off the surface by a normal distribution whose deviation is the distance
        to the point's 50th neighbor.
        """
        deviations = cloud.neighbor_distances

        def draw(generator: torch.Generator) -> IGRBatch:
            indices = cloud.choose(generator, counts.surface)
            surface = cloud.points[indices]
            moves = torch.randn(surface.shape, generator=generator, device=surface.device)
            return IGRBatch(
                surface,
                cloud.normals_of(indices),
                near=surface + moves * deviations[indices],
                anywhere=draw_uniform(generator, counts.anywhere, cloud.ndim, counts.box),
            )

        return draw

    def __call__(self, network: ImplicitNetwork, batch: IGRBatch) -> Loss:
        """The loss of a batch."""
        off_surface = torch.cat([batch.near, batch.anywhere])
        if batch.normals is None:
            values = network(batch.surface)
            _, slopes = network.value_and_gradient(off_surface)
        else:
            points = torch.cat([batch.surface, off_surface])
            values, gradients = network.value_and_gradient(points)
            values, slopes = values[: len(batch.surface)], gradients[len(batch.surface) :]
        terms = {
            "surface": values.abs().mean(),
            "eikonal": (slopes.norm(dim=1) - 1).square().mean(),
        }
        total = terms["surface"] + self.eikonal * terms["eikonal"]
        if batch.normals is not None:
            on_surface = gradients[: len(batch.surface)]
            terms["normals"] = (on_surface - batch.normals).norm(dim=1).mean()
            total = total + self.normals * terms["normals"]
        return Loss(total, terms)


IGR = ImplicitMethod(
    "igr",
    "IGR (Gropp et al. 2020)",
    {
        "compact": ImplicitPreset(
            "a small network, good after some minutes on two cores",
            COMPACT_NETWORK,
            COMPACT_SCHEDULE,
            SampleCounts(surface=512, anywhere=64, box=1.2),
            IGRLoss(),
        ),
        "paper": ImplicitPreset(
            "the paper's network and 100,000 steps, for a GPU",
            PAPER_NETWORK,
            PAPER_SCHEDULE,
            SampleCounts(surface=16_384, anywhere=2048, box=1.8),
            IGRLoss(),
        ),
    },
)
