"""Markdown reports of single runs: what was made, how good it is, with pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from eval.report.escape import markdown_text
from eval.report.table import Column, Table

Row = Mapping[str, Any]

STAND_IN_NOTICE = (
    "**STAND-IN.** The requested shape is not available, so this run shows a built-in procedural "
    "shape in its place. No figure here says anything about the real one."
)


def shape_report(metrics: Row, manifest: Row) -> str:
    """The report of one shape as Markdown; its pictures are expected in the same folder."""
    source, lods = metrics["source"], metrics["lods"]
    table = Table(
        [
            *_SCALE_COLUMNS,
            _column("IoU", "iou_voxel", ".5f"),
            _column("IoU, own grid", "iou_voxel_own_grid", ".5f"),
            _column("IoU, between samples", "iou_offgrid_2x", ".5f"),
            *_SURFACE_COLUMNS,
            _column("normal consistency", "normal_consistency", ".5f"),
            _column("faces", "faces"),
            _column("watertight", "watertight"),
        ],
        lods,
    )
    terms = f"License: {source['license']}. {source['citation']}".strip()
    blocks = [
        f"# {markdown_text(metrics['title'])} at {metrics['resolution']}³",
        *([STAND_IN_NOTICE] if source["stand_in"] else []),
        markdown_text(f"Source: {source['path']}, {source['faces']:,} faces. {terms}"),
        "\n".join(f"- {markdown_text(sentence)}" for sentence in metrics["voxelization"]),
        "![The source and every level of detail](lods.png)",
        "Loose pieces at a coarse level are usually parts of the shape: what joins them to the "
        "rest is thinner than a sample there.",
        "![A closer look, face by face](closeup.png)",
        table.markdown().rstrip(),
        "Everything is measured on what `model.miner` and the PLY files hold. Voxels are those of "
        f"the {metrics['resolution']}³ grid at every level.",
        "\n".join(f"- {item}" for item in _shape_measures(metrics)),
        "## Active blocks",
        "![Blocks that carry an MLP, scale by scale](active_blocks.png)",
        "## Quality over time",
        "![IoU over fitting time](quality.png)",
        "## Cost",
        _costs(metrics, manifest),
    ]
    return "\n\n".join(blocks) + "\n"


def _shape_measures(metrics: Row) -> list[str]:
    """What the columns of a shape's table measure."""
    level = metrics["lods"][0]
    return [
        f"IoU: `iou_voxel({level['iou_threshold']})` of the level, upsampled to the full "
        "grid, and the voxelized source.",
        "IoU, own grid: the same at the level's own samples.",
        "IoU, between samples: the level interpolated to half its spacing, and the source "
        "voxelized there.",
        "Surface and normal error: mean / 95 % over points on the mesh, against the source's own "
        "triangles.",
        f"Chamfer-L1: between {metrics['samples']:,} points on each surface; two samplings of the "
        f"source itself are {level['sampling_floor_voxels']:.3f} voxels apart.",
    ]


def image_report(metrics: Row, manifest: Row) -> str:
    """The report of one image as Markdown; its pictures are expected in the same folder."""
    bits = 8.0 * metrics["file_bytes"] / metrics["pixels"]
    table = Table(
        [
            *_SCALE_COLUMNS,
            _column("PSNR (dB)", "psnr", ".2f"),
            _column("PSNR, own grid", "psnr_own_grid", ".2f"),
        ],
        metrics["lods"],
    )
    blocks = [
        f"# {markdown_text(metrics['name'])}",
        f"{metrics['resolution']} pixels (height x width), {metrics['lods'][-1]['psnr']:.2f} dB, "
        f"{bits:.1f} bits per pixel (32-bit parameters, not entropy-coded).",
        "![The source and every level of detail](lods.png)",
        table.markdown().rstrip(),
        "PSNR is taken at full resolution, coarser scales upsampled to it; *own grid* compares at "
        "the scale's own samples. Both are measured on what `model.miner` holds.",
        "## Active blocks",
        "![Blocks that carry an MLP at the finest scale](active_blocks.png)",
        "## Quality over time",
        "![PSNR over fitting time](quality.png)",
        "## Cost",
        _costs(metrics, manifest),
    ]
    return "\n\n".join(blocks) + "\n"


def collection_report(rows: Sequence[Row], *, resolution: int) -> str:
    """A table of many shapes as Markdown, failures included."""
    columns = [
        _column("shape", "name"),
        _column("faces", "faces"),
        _column("inside test", "method"),
        _column("odd columns", "odd_columns"),
        _column("active blocks", "active_blocks"),
        _column("parameters", "parameters"),
        _column("bytes", "file_bytes"),
        _column("fit s", "fit_seconds", ".2f"),
        _column("IoU", "iou_voxel", ".5f"),
        *_SURFACE_COLUMNS,
        _column("watertight", "watertight"),
        _column("remark", "remark"),
    ]
    return f"# Collection at {resolution}³\n\n{Table(columns, rows).markdown()}\n"


def _column(title: str, key: str, form: str = "") -> Column[Row]:
    return Column(title, lambda row: row.get(key), form)


def _mean_and_high(key: str) -> Callable[[Row], str | None]:
    """Mean and 95th percentile of an error."""

    def value(row: Row) -> str | None:
        error = row.get(key)
        return f"{error['mean']:.3g} / {error['p95']:.3g}" if error else None

    return value


_SCALE_COLUMNS = (
    _column("LoD", "scale"),
    _column("samples", "shape"),
    _column("active blocks", "active_blocks"),
    _column("parameters", "parameters"),
    _column("bytes", "bytes"),
    _column("fit s", "seconds", ".2f"),
)
_SURFACE_COLUMNS = (
    Column("surface error (voxels)", _mean_and_high("surface_error_voxels")),
    Column("normal error (degrees)", _mean_and_high("normal_error_degrees")),
    _column("Chamfer-L1 (voxels)", "chamfer_l1_voxels", ".4f"),
)


def _costs(metrics: Row, manifest: Row) -> str:
    versions = (f"{name} {version}" for name, version in manifest["versions"].items())
    resumed = (
        f"{metrics['resumed_scales']} scales came from an earlier run; their time counts as "
        "fitting, not as this run's"
    )
    items = [
        *([resumed] if metrics["resumed_scales"] else []),
        f"{metrics['wall_seconds']:.1f} s in all, {metrics['fit_seconds']:.1f} s of which "
        f"fitting, on {manifest['device']}",
        f"{metrics['peak_rss_bytes'] / 2**30:.2f} GiB of memory at the peak",
        f"{metrics['file_bytes']:,} bytes, {metrics['parameters']:,} parameters",
        f"kernel {manifest['backend']}, seed {manifest['seed']}, commit {manifest['commit']}",
        ", ".join(versions),
    ]
    return "\n".join(f"- {item}" for item in items)
