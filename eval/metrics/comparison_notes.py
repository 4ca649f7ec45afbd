"""Sentences about two meshes whose numbers are easily misread."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from eval.metrics.mesh_iou import Insides
from eval.metrics.triangle_errors import size_ratio
from geom_miner import TriangleMesh
from geom_miner.mesh import Diagnosis

# From this ratio of sizes on, two meshes are more likely in different units than of one shape.
OTHER_UNIT = 5.0


def notes_on_sizes(
    reconstruction: TriangleMesh, reference: TriangleMesh, requested: int, samples: int
) -> list[str]:
    """Whether the meshes are in one unit of length and in one place.

    Parameters
    ----------
    requested, samples : points to draw on each mesh, and points drawn.
    """
    notes = []
    ratio = size_ratio(reconstruction, reference)
    if not 1 / OTHER_UNIT < ratio < OTHER_UNIT:
        larger, factor = ("reference", 1 / ratio) if ratio < 1 else ("reconstruction", ratio)
        notes.append(
            f"The {larger} is {factor:,.4g} times as large as the other mesh. If they are in "
            "different units of length, such as meters and millimeters, scale one of them first."
        )
    if samples < requested:
        notes.append(
            f"Because of that, {samples:,} points were drawn on each mesh instead of {requested:,}."
        )
    (low, high), (other_low, other_high) = reconstruction.bounds, reference.bounds
    if np.any(low > other_high) or np.any(high < other_low):
        notes.append(
            "The bounding boxes of the meshes do not meet, so distances show where the meshes are "
            "rather than how they differ in shape."
        )
    return notes


def notes_on_volumes(diagnoses: Mapping[str, Diagnosis], insides: Insides | None) -> list[str]:
    """Where ``volume``, the sum over all faces, differs from what a mesh encloses."""
    notes = [
        f"The faces of the {name} point inwards, so its volume is negative."
        for name, diagnosis in diagnoses.items()
        if diagnosis.points_inwards
    ]
    if not insides:
        return notes
    for name, volume, overlap in zip(diagnoses, insides.volumes, insides.overlaps, strict=True):
        if overlap:
            notes.append(
                f"Parts of the {name} overlap or face different ways: volume is their signed sum, "
                "volume_inside and iou_mesh measure their union."
            )
        if not volume:
            notes.append(f"No point of iou_mesh lies inside the {name}; raise --iou-mesh.")
    return notes
