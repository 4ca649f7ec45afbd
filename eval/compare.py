"""Compare two files: a reconstruction against its reference, two meshes or two images."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from eval.errors import MetricError

MESH_SUFFIXES = (".ply", ".obj", ".stl", ".off", ".glb", ".gltf")
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
LENGTHS = ("acc", "comp", "chamfer_l1", "hausdorff", "sampling_distance")
SQUARES = ("chamfer_l2", "chamfer_sum_sq")


@dataclass(frozen=True)
class CompareSettings:
    """Compare a reconstruction with its reference: two meshes or two images."""

    reconstruction: tyro.conf.Positional[Path]
    """Mesh or image file that is judged."""
    reference: tyro.conf.Positional[Path]
    """File of the same kind that counts as true."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Write JSON instead of a table; infinite values are the text "inf"."""
    samples: int = 1_000_000
    """Points drawn on each mesh."""
    seed: int = 0
    """Seed of the drawing."""
    threshold: Annotated[float, tyro.conf.arg(name="fscore-threshold")] = 0.005
    """Distance that counts as hit for the F-score, as a share of the reference's diagonal."""


def compare(settings: CompareSettings) -> dict[str, Any]:
    """Choose by the file extensions what is compared, and do it.

    Returns
    -------
    For meshes see ``compare_meshes``, for images ``compare_images``.

    Raises
    ------
    GeomMinerError
        A file cannot be read, the kinds differ, or the images differ in size.
    """
    kinds = [_kind(path) for path in (settings.reconstruction, settings.reference)]
    if kinds[0] != kinds[1]:
        raise MetricError(
            f"both files must be meshes or both images, got {kinds[0]} {settings.reconstruction} "
            f"and {kinds[1]} {settings.reference}"
        )
    return compare_meshes(settings) if kinds[0] == "mesh" else compare_images(settings)


def compare_meshes(settings: CompareSettings) -> dict[str, Any]:
    """Distances in world units and relative to the reference's bounding-box diagonal.

    Returns
    -------
    ``world`` and ``relative`` hold acc, comp, chamfer_l1, hausdorff, sampling_distance,
    chamfer_l2 and chamfer_sum_sq (the last two in squared units, or over the squared diagonal);
    beside them the scores, and the volume and watertightness of each mesh.
    """
    import numpy as np

    from eval.metrics.surface import surface_metrics
    from geom_miner import diagnose, read_mesh

    reconstruction = read_mesh(settings.reconstruction)
    reference = read_mesh(settings.reference)
    low, high = reference.bounds
    diagonal = float(np.linalg.norm(high - low))
    if not diagonal > 0:
        raise MetricError(f"{settings.reference} has no extent; give a mesh with a surface")
    threshold = settings.threshold * diagonal
    metrics = surface_metrics(
        reconstruction,
        reference,
        threshold=threshold,
        samples=settings.samples,
        seed=settings.seed,
    )
    found = {"reconstruction": diagnose(reconstruction), "reference": diagnose(reference)}
    relative = {name: metrics[name] / diagonal for name in LENGTHS}
    relative |= {name: metrics[name] / diagonal**2 for name in SQUARES}
    return {
        "kind": "mesh",
        "reconstruction": str(settings.reconstruction),
        "reference": str(settings.reference),
        "samples": settings.samples,
        "seed": settings.seed,
        "reference_diagonal": diagonal,
        "world": {name: metrics[name] for name in (*LENGTHS, *SQUARES)},
        "relative": relative,
        "normal_consistency": metrics["normal_consistency"],
        "fscore": metrics["fscore"],
        "fscore_threshold": {"world": threshold, "relative": settings.threshold},
        "volume": {name: diagnosis.volume for name, diagnosis in found.items()},
        "watertight": {name: diagnosis.watertight for name, diagnosis in found.items()},
    }


def compare_images(settings: CompareSettings) -> dict[str, Any]:
    """Mean squared error and peak signal-to-noise ratio of two images of one size."""
    from eval.metrics.image import mse, psnr
    from geom_miner import read_image

    prediction = read_image(settings.reconstruction).samples
    target = read_image(settings.reference).samples
    if prediction.shape != target.shape:
        raise MetricError(
            f"images must agree in size and channels, got {tuple(prediction.shape)} in "
            f"{settings.reconstruction} and {tuple(target.shape)} in {settings.reference}"
        )
    return {
        "kind": "image",
        "reconstruction": str(settings.reconstruction),
        "reference": str(settings.reference),
        "height_width_channels": list(prediction.shape),
        "mse": mse(prediction, target),
        "psnr": psnr(prediction, target),
    }


def to_json(result: dict[str, Any]) -> str:
    """JSON text; infinite numbers become the text "inf", which JSON has no number for."""
    import json

    def finite(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: finite(entry) for key, entry in value.items()}
        return str(value) if isinstance(value, float) and not math.isfinite(value) else value

    return json.dumps(finite(result), indent=2, allow_nan=False)


def to_table(result: dict[str, Any]) -> Any:
    """The same as a rich table."""
    from rich.markup import escape
    from rich.table import Table

    title = escape(f"{result['reconstruction']} against {result['reference']}")
    if result["kind"] == "image":
        table = Table("metric", "value", title=title)
        table.add_row("mse", f"{result['mse']:.6g}")
        table.add_row("psnr", f"{result['psnr']:.2f} dB")
        return table
    table = Table("metric", "world units", "of reference diagonal", title=title)
    table.caption = f"{result['samples']:,} samples on each mesh, seed {result['seed']}"
    for name in (*LENGTHS, *SQUARES):
        unit = " (squared)" if name in SQUARES else ""
        values = (f"{result[space][name]:.6g}" for space in ("world", "relative"))
        table.add_row(name + unit, *values)
    thresholds = (f"{result['fscore_threshold'][space]:.6g}" for space in ("world", "relative"))
    table.add_row("fscore threshold", *thresholds)
    table.add_section()
    table.add_row("fscore", f"{result['fscore']:.4f}", "")
    table.add_row("normal_consistency", f"{result['normal_consistency']:.4f}", "")
    table.add_section()
    for side in ("reconstruction", "reference"):
        table.add_row(f"volume of {side}", f"{result['volume'][side]:.6g}", "")
        table.add_row(f"{side} watertight", "yes" if result["watertight"][side] else "no", "")
    return table


def _kind(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix in MESH_SUFFIXES:
        return "mesh"
    if suffix in IMAGE_SUFFIXES:
        return "image"
    known = " ".join((*MESH_SUFFIXES, *IMAGE_SUFFIXES))
    raise MetricError(f"{path} must end in one of: {known}")
