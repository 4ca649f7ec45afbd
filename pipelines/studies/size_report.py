"""The report of ``make size``: tables of bytes at one error, where curves cross, and figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Protocol

from eval.pictures import curve_panels
from eval.report import Column, Table, markdown_text
from eval.runs import Record
from geom_miner import VoxelizeSettings
from geom_miner.outputs import MADE_BY
from pipelines.studies.size_curves import Curve, compare_sizes
from pipelines.studies.size_images_report import image_curves, images_part
from pipelines.studies.size_methods import SizeModel


class ReportSettings(Protocol):
    """What the report needs of the study's configuration."""

    @property
    def resolutions(self) -> list[int]: ...
    @property
    def models(self) -> list[SizeModel]: ...
    @property
    def image_models(self) -> list[SizeModel]: ...
    @property
    def psnrs(self) -> list[float]: ...
    @property
    def error(self) -> float: ...
    @property
    def points(self) -> int: ...


@dataclass(frozen=True)
class Quantity:
    """An error that figures show over bytes.

    Parameters
    ----------
    key : of the record, and of the figure's file name.
    title : of the figure, in words.
    axis : with its unit.
    is_distance : a share of the longest side, shown in voxels.
    """

    key: str
    title: str
    axis: str
    is_distance: bool = True

    def of(self, record: Record, resolution: int) -> float:
        """Mean of both directions."""
        both = (record["to_source"][self.key] + record["from_source"][self.key]) / 2
        return float(both * (voxels_per_side(resolution) if self.is_distance else 1))


_MEAN = Quantity("mean", "Mean distance", "mean distance, voxels")
QUANTITIES = (
    _MEAN,
    Quantity("p99", "99 % quantile of the distance", "99 % of distances, voxels"),
    Quantity("normals", "Mean angle between normals", "angle of normals, degrees", False),
)

# Compression that authors state of their methods, word for word in numbers, and where.
_PUBLISHED = (
    (
        "NeCGS",
        "a set of hundreds of meshes together, 684 MB to 0.76 MB, about 900 times",
        "abstract of arXiv 2405.15034",
    ),
    (
        "NeuralVDB",
        "10 to more than 100 times, from compressed VDB volumes",
        "abstract of arXiv 2208.04448",
    ),
)


def voxels_per_side(resolution: int) -> float:
    """How many voxels the longest side of a source has."""
    return VoxelizeSettings(resolution).fill * resolution


def page(config: ReportSettings, records: Sequence[Record], commit: str = "") -> str:
    """Markdown of the whole study."""
    hardware = next((r["hardware"] for r in records if "hardware" in r), "nothing measured")
    parts = [
        f"<!-- Written by {MADE_BY}, `make size`: change pipelines/studies/size_report.py. -->",
        "# Size: bytes beside errors",
        "*Command: `GEOM_MINER_DATA=<folders of meshes and pictures> make size`."
        + (f" Commit: `{commit}`." if commit else "")
        + f" Hardware: {markdown_text(hardware)}.*",
    ]
    shapes = [r for r in records if "shape" in r]
    if _measured(shapes):
        parts.append(_introduction(config))
        for resolution in config.resolutions:
            parts += _resolution_part(config, shapes, resolution)
    images = [r for r in records if "image" in r]
    if _measured(images):
        parts += images_part(config, _measured(images))
    return "\n\n".join([*parts, *_missing_part(records), _published_part()]) + "\n"


def draw_figures(config: ReportSettings, records: Sequence[Record], folder: Path) -> list[Path]:
    """Draw every figure that ``page`` links to; gives their files."""
    drawn = []
    shapes = _measured([r for r in records if "shape" in r])
    for resolution in config.resolutions if shapes else ():
        for quantity in QUANTITIES:
            panels = {
                shape: {name: curve.points for name, curve in curves.items()}
                for shape, curves in _all_curves(config, shapes, resolution, quantity).items()
            }
            drawn.append(folder / _figure_name(resolution, quantity))
            curve_panels(panels, drawn[-1], x="bytes", y=quantity.axis)
    images = _measured([r for r in records if "image" in r])
    if images:
        drawn.append(folder / "size_images.png")
        title = f"{len({r['image'] for r in images})} picture(s)"
        curves = {title: image_curves(config, images)}
        curve_panels(curves, drawn[-1], x="bits per pixel", y="PSNR, dB", log_y=False)
    return drawn


def _measured(records: Sequence[Record]) -> list[Record]:
    return [record for record in records if "failed" not in record]


def _figure_name(resolution: int, quantity: Quantity) -> str:
    return f"size_{resolution}_{quantity.key}.png"


def _introduction(config: ReportSettings) -> str:
    return (
        f"Every figure is measured on what the bytes decode to, at {config.points:,} points in "
        "each direction, from the mesh to the triangles of its source and from the source to the "
        "mesh; an error is the mean of both directions. A voxel is that of the grid: "
        f"1/{VoxelizeSettings().fill:g} of the source's longest side, divided by the resolution. "
        "A curve holds the best points of a method, those than which none is smaller and nearer; "
        "between them lies a line between logarithms. 1 KB is 1,000 bytes.\n\n"
        "- Draco: the source at 8 to 16 bits; decimated, the best of all decimators, numbers of "
        "faces and bits. Decimators take a sixth of the faces at a time.\n"
        "- meshoptimizer: its buffers of quantized vertices and triangles, then zstd.\n"
        "- LZMA of the occupancy: a bit for each sample of the blocks that vary. zstd of the "
        "distance: rounded signed distances there. Both with the table of blocks.\n"
        "- A model's curve holds its levels of detail: the bytes of a file that ends after one."
    )


def _all_curves(
    config: ReportSettings, records: Sequence[Record], resolution: int, quantity: Quantity
) -> dict[str, dict[str, Curve]]:
    """For each shape its curves by name, those of our models first."""
    ours = [model.name for model in config.models]
    found = list(dict.fromkeys(r["curve"] for r in records))
    names = [n for n in ours if n in found] + [n for n in found if n not in ours]
    here = [r for r in records if r["resolution"] in (None, resolution)]
    curves: dict[str, dict[str, Curve]] = {}
    for shape in dict.fromkeys(r["shape"] for r in here):
        for name in names:
            own = [r for r in here if (r["shape"], r["curve"]) == (shape, name)]
            if own:
                points = ((float(r["bytes"]), quantity.of(r, resolution)) for r in own)
                curves.setdefault(shape, {})[name] = Curve.best_of(points)
    return curves


def _resolution_part(
    config: ReportSettings, records: Sequence[Record], resolution: int
) -> list[str]:
    curves = _all_curves(config, _measured(records), resolution, _MEAN)
    parts = [
        f"## Shapes at {resolution}^3",
        f"KB at a mean error of {config.error:g} voxel, the smallest in bold. A dash: the method "
        "does not come as near. \u2264: its coarsest point is nearer.",
        _bytes_table(curves, config.error),
    ]
    if ours := [m.name for m in config.models if any(m.name in c for c in curves.values())]:
        parts += [
            "Mean errors, in voxels, at which a model of ours has fewer bytes, out of the errors "
            "that both curves reach; the curves cross at the ends that differ.",
            _crossings_table(curves, ours),
        ]
    for quantity in QUANTITIES:
        name = _figure_name(resolution, quantity)
        parts.append(f"![{quantity.title} over bytes at {resolution}^3]({name})")
    return parts


def _bytes_table(curves: dict[str, dict[str, Curve]], error: float) -> str:
    names = list(dict.fromkeys(name for of_shape in curves.values() for name in of_shape))
    smallest = {
        shape: min((_size_at(c, error)[0] for c in of_shape.values()), default=math.inf)
        for shape, of_shape in curves.items()
    }
    shape: Column[str] = Column("shape", str, left=True)

    def text(name: str, row: str) -> str | None:
        return _size_text(curves[row].get(name), error)

    def is_smallest(row: str, column: Column[str]) -> bool:
        curve = curves[row].get(column.title)
        return curve is not None and _size_at(curve, error)[0] == smallest[row] < math.inf

    columns = [shape, *(Column(name, partial(text, name)) for name in names)]
    return Table(columns, list(curves), emphasized=is_smallest).markdown()


def _size_at(curve: Curve, error: float) -> tuple[float, bool]:
    """Bytes at an error, infinite if it is not reached, and whether fewer might do."""
    size = curve.size_at(error)
    if size is not None:
        return size, False
    return (curve.points[0][0], True) if error > curve.range[1] > 0 else (math.inf, False)


def _size_text(curve: Curve | None, error: float) -> str | None:
    size, fewer_might_do = _size_at(curve, error) if curve else (math.inf, False)
    if size == math.inf:
        return None
    return ("\u2264 " if fewer_might_do else "") + _three_digits(size / 1000)


def _three_digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _crossings_table(curves: dict[str, dict[str, Curve]], ours: Sequence[str]) -> str:
    rows = [(s, name) for s in curves for name in ours if name in curves[s]]
    others = [
        name
        for name in dict.fromkeys(name for of_shape in curves.values() for name in of_shape)
        if name not in ours
    ]

    def text(other: str, row: tuple[str, str]) -> str | None:
        return _smaller_text(curves[row[0]], row[1], other)

    columns: list[Column[tuple[str, str]]] = [
        Column("shape", itemgetter(0), left=True),
        Column("model", itemgetter(1), left=True),
        *(Column(f"than {other}", partial(text, other)) for other in others),
    ]
    return Table(columns, rows).markdown()


def _smaller_text(curves: dict[str, Curve], own: str, other: str) -> str | None:
    """Intervals such as ``0.04-0.9 of 0.01-0.9``."""
    compared = compare_sizes(curves[own], curves[other]) if other in curves else None
    if compared is None:
        return None
    intervals = ", ".join(f"{low:.2g}-{high:.2g}" for low, high in compared.smaller)
    return f"{intervals or 'none'} of {compared.low:.2g}-{compared.high:.2g}"


def _missing_part(records: Sequence[Record]) -> list[str]:
    """What could not be measured, by method and reason."""
    subjects: dict[tuple[str, str], list[str]] = {}
    for record in records:
        if "failed" in record:
            subject = record.get("shape") or record["image"]
            subjects.setdefault((record["method"], record["failed"]), []).append(subject)
    if not subjects:
        return []
    rows = [(method, reason, ", ".join(names)) for (method, reason), names in subjects.items()]
    titles = ("method", "reason", "shapes or pictures")
    return ["## Not measured", _text_table(titles, rows)]


def _published_part() -> str:
    return (
        "## As published\n\nCompression that the authors of learned methods state. Shapes and "
        "errors are others than here, so no figure can be compared with one above.\n\n"
        + _text_table(("method", "compression", "source"), _PUBLISHED)
    )


def _text_table(titles: Sequence[str], rows: Sequence[tuple[str, ...]]) -> str:
    columns: list[Column[tuple[str, ...]]] = [
        Column(title, itemgetter(k), left=True) for k, title in enumerate(titles)
    ]
    return Table(columns, rows).markdown()
