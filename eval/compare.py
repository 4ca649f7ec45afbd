"""Compare two files: a mesh against a mesh or a scan of it, or an image against an image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console

from eval.errors import MetricError
from geom_miner.constraints import Range
from geom_miner.terminal import Terminal

TRIANGLE_LENGTHS = (
    "acc_triangles",
    "comp_triangles",
    "chamfer_l1_triangles",
    "chamfer_l1_triangles_error",
    "hausdorff_triangles",
)
TRIANGLE_SQUARES = ("chamfer_l2_triangles",)
LENGTHS = ("acc", "comp", "chamfer_l1", "hausdorff", "sampling_distance")
SQUARES = ("chamfer_l2", "chamfer_sum_sq")
SCORES = (
    "fscore_triangles",
    "normal_consistency_triangles",
    "fscore",
    "normal_consistency",
)
SCAN_LENGTHS = ("one_sided_scan_chamfer", "one_sided_scan_hausdorff", "sampling_distance")


@dataclass(frozen=True)
class CompareSettings:
    """Compare a mesh or an image with its reference: distances, normals, overlap, PSNR."""

    reconstruction: tyro.conf.Positional[Path]
    """Mesh or image file to evaluate."""
    reference: tyro.conf.Positional[Path]
    """True mesh or image; or the scan that a mesh was made from, as .xyz, .npy, .npz or a .ply
    without faces: then distances are measured from the scan to the mesh only."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Write JSON instead of a table; infinite values are the text "inf"."""
    samples: Annotated[int, Range(1, 10**9)] = 1_000_000
    """Number of points drawn on each mesh; fewer are taken if one mesh is many times as large as
    the other."""
    sampled: tyro.conf.FlagCreatePairsOff[bool] = False
    """Also measure distances to the nearest points drawn on the other mesh, as papers do: acc,
    comp, chamfer_l1 and others without "triangles" in their names. These are above 0 even for
    equal meshes."""
    seed: Annotated[int, Range(at_least=0, below=1 << 63)] = 0
    """Seed of the random points."""
    threshold: Annotated[
        float, Range(above=0, at_most=1), tyro.conf.arg(name="fscore-threshold")
    ] = 0.005
    """Largest distance that counts as a hit for the F-score, as a share of the reference's
    diagonal."""
    iou_mesh: Annotated[int, Range(0, 4096)] = 128
    """Points along each side of the cube in which the insides of two closed meshes are compared;
    0 skips this comparison."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where nearest points are searched; a GPU uses Kaolin if it is installed."""

    def run(self, console: Console) -> None:
        """Compare the files and print the result to standard output."""
        result = compare(self)
        out = Terminal()
        if self.json:
            out.out(to_json(result), highlight=False)
        else:
            out.print(to_table(result))


def compare(settings: CompareSettings) -> dict[str, Any]:
    """Compare two files in the way that suits their kinds.

    Returns
    -------
    For meshes see ``compare_meshes``, for a mesh and a cloud ``compare_with_scan``, for images
    ``compare_images``.

    Raises
    ------
    GeomMinerError
        A file cannot be read, the kinds do not fit each other, or the images differ in size.
    """
    kinds = _file_kind(settings.reconstruction), _file_kind(settings.reference)
    comparisons = {
        ("mesh", "mesh"): compare_meshes,
        ("mesh", "cloud"): compare_with_scan,
        ("image", "image"): compare_images,
    }
    if kinds not in comparisons:
        raise MetricError(
            "both files must be meshes or both images, or a mesh and its scan, got "
            f"{kinds[0]} {settings.reconstruction} and {kinds[1]} {settings.reference}"
        )
    return comparisons[kinds](settings)


def compare_meshes(settings: CompareSettings) -> dict[str, Any]:
    """Distances in world units and relative to the reference's bounding-box diagonal.

    Returns
    -------
    ``world`` and ``relative`` hold ``TRIANGLE_LENGTHS`` and ``TRIANGLE_SQUARES`` (these in squared
    units, or divided by the squared diagonal), exact distances from points on one mesh to the
    triangles of the other, and, if settings.sampled, ``LENGTHS`` and ``SQUARES``, distances to
    points. The other entries are the scores, and the volume and watertightness of each mesh.
    iou_mesh and volume_inside are None if a mesh is not closed or the comparison was skipped.
    ``notes`` are sentences about what to look out for.
    """
    import numpy as np

    from eval.metrics.comparison_notes import notes_on_sizes, notes_on_volumes
    from eval.metrics.matches import check_threshold
    from eval.metrics.mesh_iou import compare_insides
    from eval.metrics.surface import surface_metrics
    from eval.metrics.triangle_errors import affordable_samples, both_ways, triangle_metrics
    from geom_miner import VoxelizeSettings, diagnose, read_mesh

    if settings.iou_mesh:
        VoxelizeSettings(settings.iou_mesh)  # refuses a value out of range before the long work
    reconstruction = read_mesh(settings.reconstruction)
    reference = read_mesh(settings.reference)
    low, high = reference.bounds
    diagonal = float(np.linalg.norm(high - low))
    for path, mesh in ((settings.reconstruction, reconstruction), (settings.reference, reference)):
        if not mesh.area > 0:
            raise MetricError(f"{path} has no area; give a mesh with a surface")
    threshold = settings.threshold * diagonal
    check_threshold(threshold)
    samples = affordable_samples(settings.samples, reconstruction, reference)
    errors = both_ways(reconstruction, reference, samples=samples, seed=settings.seed)
    metrics = triangle_metrics(*errors, threshold=threshold)
    if settings.sampled:
        metrics |= surface_metrics(
            reconstruction,
            reference,
            threshold=threshold,
            samples=samples,
            seed=settings.seed,
            device=settings.device,
        )
    diagnoses = {"reconstruction": diagnose(reconstruction), "reference": diagnose(reference)}
    insides = None
    if settings.iou_mesh and all(diagnosis.closed for diagnosis in diagnoses.values()):
        insides = compare_insides(reconstruction, reference, resolution=settings.iou_mesh)
    powers = dict.fromkeys((*TRIANGLE_LENGTHS, *LENGTHS), 1)
    powers |= dict.fromkeys((*TRIANGLE_SQUARES, *SQUARES), 2)
    distances = {name: metrics.pop(name) for name in powers if name in metrics}
    return {
        "kind": "mesh",
        "reconstruction": str(settings.reconstruction),
        "reference": str(settings.reference),
        "samples": samples,
        "seed": settings.seed,
        "reference_diagonal": diagonal,
        "world": distances,
        "relative": {name: value / diagonal ** powers[name] for name, value in distances.items()},
        **metrics,
        "fscore_threshold": {"world": threshold, "relative": settings.threshold},
        "iou_mesh": insides and insides.iou,
        "iou_mesh_resolution": settings.iou_mesh,
        "volume": {name: diagnosis.volume for name, diagnosis in diagnoses.items()},
        "volume_inside": insides and dict(zip(diagnoses, insides.volumes, strict=True)),
        "watertight": {name: diagnosis.watertight for name, diagnosis in diagnoses.items()},
        "notes": [
            *notes_on_sizes(reconstruction, reference, settings.samples, samples),
            *notes_on_volumes(diagnoses, insides),
        ],
    }


def compare_with_scan(settings: CompareSettings) -> dict[str, Any]:
    """Distances from a scan to a mesh, in world units and relative to the scan's diagonal.

    Returns
    -------
    ``world`` and ``relative`` hold one_sided_scan_chamfer, one_sided_scan_hausdorff and
    sampling_distance. The other entries are the volume and watertightness of the mesh.
    """
    from eval.clouds.files import read_cloud
    from eval.metrics.surface import scan_metrics
    from geom_miner import diagnose, read_mesh

    reconstruction = read_mesh(settings.reconstruction)
    scan = read_cloud(settings.reference)
    if not scan.diagonal > 0:
        raise MetricError(f"{settings.reference} has no extent; give a scan of a surface")
    metrics = scan_metrics(
        scan, reconstruction, settings.samples, settings.seed, device=settings.device
    )
    diagnosis = diagnose(reconstruction)
    return {
        "kind": "scan",
        "reconstruction": str(settings.reconstruction),
        "reference": str(settings.reference),
        "points": len(scan),
        "samples": settings.samples,
        "seed": settings.seed,
        "reference_diagonal": scan.diagonal,
        "world": metrics,
        "relative": {name: metrics[name] / scan.diagonal for name in SCAN_LENGTHS},
        "volume": {"reconstruction": diagnosis.volume},
        "watertight": {"reconstruction": diagnosis.watertight},
    }


def compare_images(settings: CompareSettings) -> dict[str, Any]:
    """Mean squared error and peak signal-to-noise ratio of two images of one size.

    Where the reference uses a small range of values, this range is the peak.
    """
    from eval.metrics.image import mse, psnr
    from geom_miner import read_image
    from geom_miner.media import small_range

    prediction = read_image(settings.reconstruction).samples
    target = read_image(settings.reference).samples
    if prediction.shape != target.shape:
        raise MetricError(
            f"images must agree in size and channels, got {tuple(prediction.shape)} in "
            f"{settings.reconstruction} and {tuple(target.shape)} in {settings.reference}"
        )
    used = small_range(target)
    peak = used.extent if used else 1.0
    return {
        "kind": "image",
        "reconstruction": str(settings.reconstruction),
        "reference": str(settings.reference),
        "height_width_channels": list(prediction.shape),
        "mse": mse(prediction, target),
        "peak": peak,
        "psnr": psnr(prediction, target, peak=peak),
    }


def to_json(result: dict[str, Any]) -> str:
    """The result as JSON; an infinite number, which JSON lacks, becomes the text "inf"."""
    import json

    def encode(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: encode(entry) for key, entry in value.items()}
        return str(value) if isinstance(value, float) and not math.isfinite(value) else value

    return json.dumps(encode(result), indent=2, allow_nan=False)


def to_table(result: dict[str, Any]) -> Any:
    """The result as a table of rich."""
    from rich.table import Table

    title = f"{result['reconstruction']} against {result['reference']}"
    if result["kind"] == "image":
        table = Table("metric", "value", title=title)
        table.add_row("mse", f"{result['mse']:.6g}")
        table.add_row("psnr", f"{result['psnr']:.2f} dB")
        if result["peak"] < 1:
            table.caption = (
                f"PSNR relative to {result['peak']:.4g}, the range that the reference uses"
            )
        return table
    table = Table("metric", "world units", "of reference diagonal", title=title)
    for name in result["world"]:
        unit = " (squared)" if name in (*TRIANGLE_SQUARES, *SQUARES) else ""
        values = (f"{result[space][name]:.6g}" for space in ("world", "relative"))
        table.add_row(name + unit, *values)
    if result["kind"] == "scan":
        table.caption = (
            f"{result['points']:,} points of the scan, {result['samples']:,} samples on the "
            f"mesh, seed {result['seed']}"
        )
    else:
        table.caption = "\n".join(
            [f"{result['samples']:,} samples on each mesh, seed {result['seed']}", *result["notes"]]
        )
        _add_scores(table, result)
    table.add_section()
    for side in result["volume"]:
        table.add_row(f"volume of {side}", f"{result['volume'][side]:.6g}", "")
        if result.get("volume_inside"):
            table.add_row(f"volume inside {side}", f"{result['volume_inside'][side]:.6g}", "")
        table.add_row(f"{side} watertight", "yes" if result["watertight"][side] else "no", "")
    return table


def _add_scores(table: Any, result: dict[str, Any]) -> None:
    thresholds = (f"{result['fscore_threshold'][space]:.6g}" for space in ("world", "relative"))
    table.add_row("fscore threshold", *thresholds)
    table.add_section()
    for name in SCORES:
        if name in result:
            table.add_row(name, f"{result[name]:.4f}", "")
    if result["iou_mesh_resolution"]:
        iou = result["iou_mesh"]
        value = "a mesh is open" if iou is None else f"{iou:.6f}"
        table.add_row(f"iou_mesh({result['iou_mesh_resolution']})", value, "")


def _file_kind(path: Path) -> str:
    from eval.clouds.files import CLOUD_SUFFIXES, holds_cloud
    from geom_miner.file_kinds import describe_wrong_kind
    from geom_miner.media import IMAGE_SUFFIXES
    from geom_miner.mesh import MESH_SUFFIXES, mesh_suffix

    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return "image"
    if holds_cloud(path):
        return "cloud"
    if mesh_suffix(path) in MESH_SUFFIXES:
        return "mesh"
    takes = {"mesh": MESH_SUFFIXES, "point cloud": CLOUD_SUFFIXES, "image": IMAGE_SUFFIXES}
    raise MetricError(describe_wrong_kind(path, takes))
