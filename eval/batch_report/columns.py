"""The columns of the tables: what each shows, which way is better, and how it was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from eval.batch_report.rows import Row, Value, distance
from eval.experiment.judge import HIT, IOU_GRID
from eval.experiment.run import Finished
from eval.experiment.subjects import Subject
from eval.runs import Record

Better = Literal["lower", "higher", ""]
ARROWS = {"lower": "↓", "higher": "↑", "": ""}


@dataclass(frozen=True)
class Column:
    """One column.

    Parameters
    ----------
    name : in the CSV file.
    title : in tables, with its unit.
    group : what the column belongs to.
    better : which values are best; "" where none are.
    form : format specification, or "yes" for yes and no.
    value : of one record.
    protocol : how it was measured, one or two sentences.
    """

    name: str
    title: str
    group: str
    better: Better
    form: str
    value: Value
    protocol: str

    @property
    def arrow(self) -> str:
        """↓ if lower is better, ↑ if higher is."""
        return ARROWS[self.better]

    def text(self, number: float | None) -> str:
        """A value as tables print it."""
        if number is None:
            return "-"
        if self.form == "yes":
            return {0.0: "no", 1.0: "yes"}.get(number, f"{100 * number:.0f} %")
        if self.form == "bytes":
            return bytes_words(number)
        return format(number, self.form)


def all_columns(finished: Finished) -> list[Column]:
    """Every column there is; those of other subjects have no values."""
    return [*_mesh_columns(finished), *_cloud_columns(finished), *_shared_columns(finished)]


def columns_for(rows: Sequence[Row], finished: Finished) -> list[Column]:
    """The columns that say something about these rows, all of meshes or all of clouds."""
    shown = _cloud_columns(finished) if rows[0].subject.cloud else _mesh_columns(finished)
    shown += _shared_columns(finished)
    return [column for column in shown if any(row.values(column.value) for row in rows)]


def best(column: Column, rows: Sequence[Row]) -> str | None:
    """How the best value among rows given as much is printed; all that print alike are best.

    None where nothing can be best: one row, or all alike.
    """
    values = [value for row in rows if (value := row.median(column.value)) is not None]
    texts = {column.text(row.median(column.value)) for row in rows}
    if not column.better or len(texts) < 2:
        return None
    return column.text(min(values) if column.better == "lower" else max(values))


def bytes_words(number: float) -> str:
    """A size: 812 B, 3.4 kB, 1.2 MB."""
    for unit in ("B", "kB", "MB"):
        if number < 999.5:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} GB"


def measure(*keys: str) -> Value:
    """A value from the measures by its keys."""

    def value(record: Record, _: Subject) -> float | None:
        found = record["measures"]
        for key in keys:
            found = None if found is None else found.get(key)
        return None if found is None else float(found)

    return value


def percent(name: str) -> Value:
    """A length in percent of the diagonal."""

    def value(record: Record, subject: Subject) -> float | None:
        found = record["measures"].get(name)
        return None if found is None else 100 * float(found) / subject.diagonal

    return value


def distance_percent(record: Record, subject: Subject) -> float:
    """What rows are ranked by, in percent of the diagonal."""
    return 100 * distance(record) / subject.diagonal


def _exact_percent(record: Record, subject: Subject) -> float | None:
    return None if subject.cloud else distance_percent(record, subject)


def seconds(record: Record, _: Subject) -> float:
    """Wall-clock seconds in all."""
    return float(record["timings"]["total"])


def _part_of_time(name: str) -> Value:
    return lambda record, _: float(record["timings"][name])


def _cost(name: str) -> Value:
    return lambda record, _: None if record[name] is None else float(record[name])


def _grid(finished: Finished) -> str:
    sizes = sorted({cell.contender.resolution for cell in finished.cells})
    return " or ".join(f"{size}" for size in sizes)


def _mesh_columns(finished: Finished) -> list[Column]:
    count = f"{finished.run.samples:,} points"
    on_each = f"{count} on each surface, uniform in area, seed 0"
    voxel = f"A voxel is the longest side of the source's bounding box over {_grid(finished)}."
    return [
        Column(
            "chamfer_triangles_percent", "Chamfer, exact (% diag)", "Distance", "lower", ".4f",
            _exact_percent,
            f"Mean distance from {count} on either surface to the nearest point of the other's "
            "triangles, both directions averaged, unsquared, in percent of the bounding box's "
            "diagonal. No sampling floor: equal surfaces are at 0. Ranks and wins go by this.",
        ),
        Column(
            "chamfer_l1_percent", "Chamfer-L1 (% diag)", "Distance", "lower", ".4f",
            percent("chamfer_l1"),
            f"Mean distance to the nearest sample of the other surface, both directions averaged, "
            f"unsquared; {on_each}. Equal surfaces are not at 0 but at half the root of area over "
            "samples, so good methods look alike.",
        ),
        Column(
            "hausdorff_percent", "Hausdorff (% diag)", "Distance", "lower", ".3f",
            percent("hausdorff"),
            f"Largest distance to the nearest sample of the other surface, both directions; "
            f"{on_each}. Grows with the number of samples.",
        ),
        Column(
            "fscore", f"F-score ({100 * HIT:g} %)", "Distance", "higher", ".4f",
            measure("fscore"),
            f"Harmonic mean of the shares of samples of either surface within {100 * HIT:g} % of "
            f"the diagonal of the other's; {on_each}.",
        ),
        Column(
            "surface_error_voxels", "surface error (voxels)", "Distance", "lower", ".3f",
            measure("surface_error_voxels", "mean"),
            f"Mean distance of {count} on the reconstruction to the source's triangles; blind to "
            f"what is missing. {voxel}",
        ),
        Column(
            "edge_error_voxels", "edge error (voxels)", "Distance", "lower", ".3f",
            measure("edge_error_voxels", "mean"),
            "Mean distance of 60,000 points on the source's sharp edges (faces that bend by more "
            f"than 30 degrees) to the reconstruction's triangles: rounding. {voxel}",
        ),
        Column(
            "normal_error_degrees", "normal error (°)", "Orientation", "lower", ".2f",
            measure("normal_error_degrees", "mean"),
            f"Mean angle between normals of the reconstruction at {count} and those of the nearest "
            "source triangle; outward counts.",
        ),
        Column(
            "normal_consistency", "normal consistency", "Orientation", "higher", ".4f",
            measure("normal_consistency"),
            f"Mean absolute cosine between normals of nearest samples, both directions averaged; "
            f"{on_each}. Flipped normals are not penalized.",
        ),
        Column(
            "iou_mesh", f"IoU ({IOU_GRID}³)", "Volume", "higher", ".4f",
            measure("iou_mesh"),
            f"Intersection over union of the insides of both meshes at {IOU_GRID}³ grid points.",
        ),
    ]  # fmt: skip


def _cloud_columns(finished: Finished) -> list[Column]:
    count = f"{finished.run.samples:,} points"
    return [
        Column(
            "one_sided_scan_chamfer", "scan distance, mean", "Scan to surface", "lower", ".4f",
            measure("one_sided_scan_chamfer"),
            f"Mean distance from every scan point to the nearest of {count} on the reconstruction, "
            "this direction only, in the scan's own units: the one-sided Chamfer distance of the "
            "Surface Reconstruction Benchmark's protocol. Ranks and wins go by this.",
        ),
        Column(
            "one_sided_scan_hausdorff", "scan distance, max", "Scan to surface", "lower", ".3f",
            measure("one_sided_scan_hausdorff"),
            f"Largest distance from a scan point to the nearest of {count} on the reconstruction, "
            "this direction only: the one-sided Hausdorff distance of the same protocol.",
        ),
        Column(
            "beyond_scan", "surface beyond the scan, mean", "Surface to scan", "", ".4f",
            measure("beyond_scan"),
            f"Mean distance from {count} on the reconstruction to the nearest scan point: holes "
            "well closed and sheets made up both count, so neither way is better by itself.",
        ),
        Column(
            "scan_normal_error_degrees", "normal error (°)", "Scan to surface", "lower", ".2f",
            measure("scan_normal_error_degrees"),
            "Mean angle between the scan's normals and those of the nearest triangle; outward "
            "counts. Noise of the scan's normals is part of it.",
        ),
    ]  # fmt: skip


def _shared_columns(finished: Finished) -> list[Column]:
    apart = (
        ""
        if finished.run.jobs == 1
        else f" {finished.run.jobs} cells ran at a time, so seconds can't be compared."
    )
    return [
        Column(
            "watertight", "watertight", "Topology", "higher", "yes", measure("watertight"),
            "Every edge has exactly two faces, consistently oriented, vertices of equal position "
            "being one.",
        ),
        Column(
            "genus", "genus", "Topology", "", ".0f", measure("genus"),
            "Handles of all parts together, from the Euler characteristic; of watertight meshes.",
        ),
        Column(
            "parts", "parts", "Topology", "", ".0f", measure("parts"),
            "Connected components of faces over shared vertices.",
        ),
        Column(
            "faces", "faces", "Cost", "", ",.0f", measure("faces"), "Triangles of the mesh.",
        ),
        Column(
            "seconds", "seconds", "Cost", "lower", ".1f", seconds,
            "Wall-clock seconds from the source in memory to the mesh in memory: prepare, fit and "
            f"mesh; reading, drawing points and judging are left out.{apart}",
        ),
        Column(
            "fit_seconds", "of them fit", "Cost", "", ".1f", _part_of_time("fit"),
            "Seconds of optimizing or solving, which a budget in seconds limits.",
        ),
        Column(
            "peak_rss_bytes", "peak memory", "Cost", "lower", "bytes", _cost("peak_rss_bytes"),
            "Largest resident memory of the process that did it, the interpreter and its "
            "libraries included.",
        ),
        Column(
            "parameters", "parameters", "Cost", "lower", ",.0f", _cost("parameters"),
            "Numbers that the method stores for this shape, if it has a form of its own.",
        ),
        Column(
            "bytes", "bytes", "Cost", "lower", "bytes", _cost("bytes"),
            "Of the method's own file, or of the mesh as binary PLY where it has no other form.",
        ),
    ]  # fmt: skip
