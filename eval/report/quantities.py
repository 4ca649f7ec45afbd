"""The measured quantities: what each shows, which way is better, and how it was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from eval.benchmark.evaluate import HIT, IOU_GRID
from eval.benchmark.run import BatchResult
from eval.benchmark.subjects import Subject
from eval.report.rows import Row, Value, distance
from eval.report.table import MISSING
from eval.runs.records import Record

Better = Literal["lower", "higher", ""]
ARROWS = {"lower": "↓", "higher": "↑", "": ""}


@dataclass(frozen=True)
class Quantity:
    """A quantity that tables show.

    Parameters
    ----------
    name : in the CSV file.
    title : in tables, with its unit.
    better : which values are best; "" where none are.
    form : format specification, or "yes" for yes and no, or "bytes".
    read : reads it from a record; by default the measure of that name.
    group : heading above columns of one kind.
    protocol : how it was measured, one or two sentences.
    """

    name: str
    title: str
    better: Better
    form: str
    read: Value | None = None
    group: str = ""
    protocol: str = ""

    @property
    def value(self) -> Value:
        """Reads the quantity from a record."""
        return self.read or measured(self.name)

    def text(self, number: float | None) -> str:
        """A value as tables show it."""
        if number is None:
            return MISSING
        if self.form == "yes":
            return {0.0: "no", 1.0: "yes"}.get(number, f"{100 * number:.0f} %")
        if self.form == "bytes":
            return bytes_text(number)
        return format(number, self.form)

    def median(self, row: Row) -> str:
        """The median over the seeds of a row as tables show it."""
        return self.text(row.median(self.value))


def all_quantities(result: BatchResult) -> list[Quantity]:
    """Every quantity with its protocol; a record has only those of its kind of shape."""
    grids = sorted({cell.entry.resolution for cell in result.cells})
    count = f"{result.run.samples:,} points"
    jobs = result.run.jobs
    details = {
        "count": count,
        "on_each": f"{count} on each surface, uniform in area, seed 0",
        "voxel": "A voxel is the longest side of the source's bounding box over "
        f"{' or '.join(map(str, grids))}.",
        "hit": f"{100 * HIT:g}",
        "iou_grid": IOU_GRID,
        "jobs": f" {jobs} cells ran at a time, so seconds can't be compared." if jobs > 1 else "",
    }
    return [
        replace(quantity, group=group, protocol=_PROTOCOLS[quantity.name].format(**details))
        for group, quantities in _QUANTITIES
        for quantity in quantities
    ]


def with_values(quantities: Sequence[Quantity], rows: Sequence[Row]) -> list[Quantity]:
    """The quantities that any of these rows has."""
    return [quantity for quantity in quantities if any(row.values(quantity.value) for row in rows)]


def best_text(better: Better, values: Sequence[tuple[float | None, str]]) -> str | None:
    """The text of the best of some values with their texts; all with this text are best.

    None where nothing can be best: neither way is better, or all texts are equal.
    """
    numbers = [(number, text) for number, text in values if number is not None]
    if not numbers or not better or len({text for _, text in values}) < 2:
        return None
    pick = min if better == "lower" else max
    return pick(numbers, key=lambda pair: pair[0])[1]


def best_of_rows(quantity: Quantity, rows: Sequence[Row]) -> str | None:
    """The text of the best value among the rows that compete; see ``best_text``."""
    values = [
        (row.median(quantity.value) if row.competes else None, quantity.median(row)) for row in rows
    ]
    return best_text(quantity.better, values)


def bytes_text(number: float) -> str:
    """A size: 812 B, 3.4 kB, 1.2 MB."""
    for unit in ("B", "kB", "MB"):
        if number < 999.5:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} GB"


def measured(name: str) -> Value:
    """Reads one of the measures; of errors that are kept with their spread, the mean."""

    def value(record: Record, _: Subject) -> float | None:
        measure = record["measures"].get(name)
        if isinstance(measure, dict):
            measure = measure["mean"]
        return None if measure is None else float(measure)

    return value


def percent(name: str) -> Value:
    """Reads one of the measures, a length, in percent of the diagonal."""
    read = measured(name)

    def value(record: Record, subject: Subject) -> float | None:
        length = read(record, subject)
        return None if length is None else 100 * length / subject.diagonal

    return value


def distance_percent(record: Record, subject: Subject) -> float:
    """The distance that ranks rows, in percent of the diagonal."""
    return 100 * distance(record) / subject.diagonal


def seconds(record: Record, _: Subject) -> float:
    """Wall-clock seconds in all."""
    return float(record["timings"]["total"])


def _fit_seconds(record: Record, _: Subject) -> float:
    return float(record["timings"]["fit"])


def _cost(name: str) -> Value:
    return lambda record, _: None if record[name] is None else float(record[name])


_EXACT, _CHAMFER = percent("chamfer_l1_triangles"), percent("chamfer_l1")
_QUANTITIES: list[tuple[str, list[Quantity]]] = [
    (
        "Distance",
        [
            Quantity(
                "chamfer_triangles_percent", "Chamfer, exact (% diag)", "lower", ".4f", _EXACT
            ),
            Quantity(
                "hausdorff_triangles_percent",
                "Hausdorff, exact (% diag)",
                "lower",
                ".3f",
                percent("hausdorff_triangles"),
            ),
            Quantity("fscore_triangles", f"F-score, exact ({100 * HIT:g} %)", "higher", ".4f"),
            Quantity("chamfer_l1_percent", "Chamfer-L1 (% diag)", "lower", ".4f", _CHAMFER),
            Quantity(
                "hausdorff_percent", "Hausdorff (% diag)", "lower", ".3f", percent("hausdorff")
            ),
            Quantity("fscore", f"F-score ({100 * HIT:g} %)", "higher", ".4f"),
            Quantity("surface_error_voxels", "surface error (voxels)", "lower", ".3f"),
            Quantity("edge_error_voxels", "edge error (voxels)", "lower", ".3f"),
        ],
    ),
    (
        "Orientation",
        [
            Quantity("normal_error_degrees", "normal error (°)", "lower", ".2f"),
            Quantity("normal_consistency_triangles", "normal consistency, exact", "higher", ".4f"),
            Quantity("normal_consistency", "normal consistency", "higher", ".4f"),
        ],
    ),
    ("Volume", [Quantity("iou_mesh", f"IoU ({IOU_GRID}³)", "higher", ".4f")]),
    (
        "Scan to surface",
        [
            Quantity("one_sided_scan_chamfer", "scan distance, mean", "lower", ".4f"),
            Quantity("one_sided_scan_hausdorff", "scan distance, max", "lower", ".3f"),
        ],
    ),
    ("Surface to scan", [Quantity("beyond_scan", "surface beyond the scan, mean", "", ".4f")]),
    ("Orientation", [Quantity("scan_normal_error_degrees", "normal error (°)", "lower", ".2f")]),
    (
        "Topology",
        [
            Quantity("watertight", "watertight", "higher", "yes"),
            Quantity("genus", "genus", "", ".0f"),
            Quantity("parts", "components", "", ".0f"),
        ],
    ),
    (
        "Cost",
        [
            Quantity("faces", "faces", "", ",.0f"),
            Quantity("seconds", "seconds", "lower", ".1f", seconds),
            Quantity("fit_seconds", "of which fit", "", ".1f", _fit_seconds),
            Quantity("peak_rss_bytes", "peak memory", "lower", "bytes", _cost("peak_rss_bytes")),
            Quantity("parameters", "parameters", "lower", ",.0f", _cost("parameters")),
            Quantity("bytes", "bytes", "lower", "bytes", _cost("bytes")),
        ],
    ),
]
# How each quantity is measured; see ``all_quantities`` for what stands in braces.
_PROTOCOLS = {
    "chamfer_triangles_percent": "Mean distance from {count} on either surface to the nearest "
    "point of the other's triangles, both directions averaged, unsquared, in percent of the "
    "bounding box's diagonal. No sampling floor: equal surfaces are at 0. Ranks and wins go by "
    "this.",
    "hausdorff_triangles_percent": "Largest distance from {count} on either surface to the nearest "
    "point of the other's triangles.",
    "fscore_triangles": "Harmonic mean of the shares of {count} on either surface within {hit} % "
    "of the diagonal of the other's triangles.",
    "chamfer_l1_percent": "Mean distance to the nearest sample of the other surface, both "
    "directions averaged, unsquared; {on_each}. Equal surfaces are not at 0 but at half the root "
    "of area over samples, so good methods look alike.",
    "hausdorff_percent": "Largest distance to the nearest sample of the other surface, both "
    "directions; {on_each}. Grows with the number of samples.",
    "fscore": "Harmonic mean of the shares of samples of either surface within {hit} % of the "
    "diagonal of the other's; {on_each}.",
    "surface_error_voxels": "Mean distance of {count} on the reconstruction to the source's "
    "triangles; blind to what is missing. {voxel}",
    "edge_error_voxels": "Mean distance of 60,000 points on the source's sharp edges (faces that "
    "bend by more than 30 degrees) to the reconstruction's triangles: rounding. {voxel}",
    "normal_error_degrees": "Mean angle between normals of the reconstruction at {count} and those "
    "of the nearest source triangle; outward counts.",
    "normal_consistency_triangles": "Mean absolute cosine between normals at {count} on either "
    "surface and those of the nearest triangles of the other. Flipped normals are not penalized.",
    "normal_consistency": "Mean absolute cosine between normals of nearest samples, both "
    "directions averaged; {on_each}. Flipped normals are not penalized.",
    "iou_mesh": "Intersection over union of the insides of both meshes at {iou_grid}³ grid points.",
    "one_sided_scan_chamfer": "Mean distance from every scan point to the nearest of {count} on "
    "the reconstruction, this direction only, in the scan's own units: the one-sided Chamfer "
    "distance of the Surface Reconstruction Benchmark's protocol. Ranks and wins go by this.",
    "one_sided_scan_hausdorff": "Largest distance from a scan point to the nearest of {count} on "
    "the reconstruction, this direction only: the one-sided Hausdorff distance of the same "
    "protocol.",
    "beyond_scan": "Mean distance from {count} on the reconstruction to the nearest scan point: "
    "holes well closed and sheets made up both count, so neither way is better by itself.",
    "scan_normal_error_degrees": "Mean angle between the scan's normals and those of the nearest "
    "triangle; outward counts. Noise of the scan's normals is part of it.",
    "watertight": "Every edge has exactly two faces, consistently oriented, vertices of equal "
    "position being one.",
    "genus": "Handles of all components together, from the Euler characteristic; of watertight "
    "meshes.",
    "parts": "Connected components of faces over shared vertices.",
    "faces": "Triangles of the mesh.",
    "seconds": "Wall-clock seconds from the source in memory to the mesh in memory: prepare, fit "
    "and mesh; reading, drawing points and evaluation are left out.{jobs}",
    "fit_seconds": "Seconds of optimizing or solving, which a budget in seconds limits.",
    "peak_rss_bytes": "Largest resident memory of the process of the method, the interpreter and "
    "its libraries included.",
    "parameters": "Numbers that the method stores for this shape, if it has a form of its own.",
    "bytes": "Of the method's own file, or of the mesh as binary PLY where it has no other form.",
}
