"""Markdown reports of single runs: what was made, how good it is, with pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

STAND_IN_NOTICE = (
    "**STAND-IN.** The shape that was asked for could not be had, so this run shows a built-in "
    "procedural shape in its place. No figure here says anything about the real one."
)


def shape_report(metrics: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    """The report of one shape as Markdown; pictures are expected beside it."""
    source = metrics["source"]
    lines = [f"# {metrics['title']} at {metrics['resolution']}³", ""]
    if source["stand_in"]:
        lines += [STAND_IN_NOTICE, ""]
    lines += [
        f"Source: {source['path']}, {source['faces']:,} faces. License: {source['license']}."
        + (f" {source['citation']}" if source["citation"] else ""),
        "",
        *[f"- {sentence}" for sentence in metrics["voxelization"]],
        "",
        "![The source and every level of detail](lods.png)",
        "",
        "![A closer look, face by face](closeup.png)",
        "",
        _table(
            [
                ("LoD", "scale"), ("samples", "shape"), ("active blocks", "active_blocks"),
                ("parameters", "parameters"), ("bytes", "bytes"), ("fit s", "seconds"),
                ("IoU", "iou_voxel"), ("IoU, own grid", "iou_voxel_own_grid"),
                ("IoU, between samples", "iou_offgrid_2x"),
                ("surface error (voxels)", "surface_error_voxels"),
                ("normal error (degrees)", "normal_error_degrees"),
                ("Chamfer-L1 (voxels)", "chamfer_l1_voxels"),
                ("normal consistency", "normal_consistency"), ("faces", "faces"),
                ("watertight", "watertight"),
            ],
            metrics["lods"],
        ),
        "",
        f"IoU is `iou_voxel({metrics['lods'][0]['iou_threshold']})`: the decoded scale, upsampled "
        "to the full-resolution grid, against the voxelized source; *own grid* compares at the "
        "scale's own samples, *between samples* interpolates the scale to half its spacing and "
        "compares with the source voxelized there. Surface and normal errors are mean / 95 %, of "
        "points on the mesh against the source's own triangles; they and Chamfer-L1, between "
        f"{metrics['samples']:,} points on each surface, are in voxels of scale 0. Two samplings "
        f"of the source itself are {metrics['lods'][0]['sampling_floor_voxels']:.3f} apart. "
        "Everything is measured on "
        "what `model.miner` and the PLY files hold.",
        "",
        "## Active blocks",
        "",
        "![Blocks that carry an MLP, scale by scale](active_blocks.png)",
        "",
        "## Quality over time",
        "",
        "![IoU over fitting time](quality.png)",
        "",
    ]  # fmt: skip
    return "\n".join([*lines, *_costs(metrics, manifest)])


def image_report(metrics: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    """The report of one image as Markdown; pictures are expected beside it."""
    bits = 8.0 * metrics["file_bytes"] / metrics["pixels"]
    lines = [
        f"# {metrics['name']}",
        "",
        f"{metrics['resolution']} pixels, {metrics['lods'][-1]['psnr']:.2f} dB, {bits:.1f} bits "
        "per pixel (32-bit parameters, not entropy-coded).",
        "",
        "![The source and every level of detail](lods.png)",
        "",
        _table(
            [
                ("LoD", "scale"), ("samples", "shape"), ("active blocks", "active_blocks"),
                ("parameters", "parameters"), ("bytes", "bytes"), ("fit s", "seconds"),
                ("PSNR (dB)", "psnr"), ("PSNR, own grid", "psnr_own_grid"),
            ],
            metrics["lods"],
        ),
        "",
        "PSNR is taken at full resolution, coarser scales upsampled to it; *own grid* compares at "
        "the scale's own samples. Both are measured on what `model.miner` holds.",
        "",
        "## Active blocks",
        "",
        "![Blocks that carry an MLP at the finest scale](active_blocks.png)",
        "",
        "## Quality over time",
        "",
        "![PSNR over fitting time](quality.png)",
        "",
    ]  # fmt: skip
    return "\n".join([*lines, *_costs(metrics, manifest)])


def collection_report(rows: Sequence[Mapping[str, Any]], *, resolution: int) -> str:
    """A table of many shapes as Markdown, failures included."""
    columns = [
        ("shape", "name"), ("faces", "faces"), ("inside test", "method"),
        ("odd columns", "odd_columns"), ("active blocks", "active_blocks"),
        ("parameters", "parameters"), ("bytes", "file_bytes"), ("fit s", "fit_seconds"),
        ("IoU", "iou_voxel"), ("surface error (voxels)", "surface_error_voxels"),
        ("normal error (degrees)", "normal_error_degrees"),
        ("Chamfer-L1 (voxels)", "chamfer_l1_voxels"),
        ("watertight", "watertight"), ("remark", "remark"),
    ]  # fmt: skip
    return f"# Collection at {resolution}³\n\n{_table(columns, rows)}\n"


def _table(columns: Sequence[tuple[str, str]], rows: Sequence[Mapping[str, Any]]) -> str:
    head = "| " + " | ".join(title for title, _ in columns) + " |"
    rule = "|" + "---:|" * len(columns)
    body = ["| " + " | ".join(_cell(row.get(key)) for _, key in columns) + " |" for row in rows]
    return "\n".join([head, rule, *body])


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.5f}" if abs(value) < 1 else f"{value:.2f}"
    if isinstance(value, Mapping):
        return f"{value['mean']:.3g} / {value['p95']:.3g}"
    if isinstance(value, (tuple, list)):
        return " x ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)


def _costs(metrics: Mapping[str, Any], manifest: Mapping[str, Any]) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in manifest["versions"].items())
    return [
        "## Cost",
        "",
        *(
            [
                f"- {metrics['resumed_scales']} scales came from an earlier run; their time counts "
                "as fitting, not as this run's"
            ]
            if metrics["resumed_scales"]
            else []
        ),
        f"- {metrics['wall_seconds']:.1f} s in all, {metrics['fit_seconds']:.1f} s of them "
        f"fitting, on {manifest['device']}",
        f"- {metrics['peak_rss_bytes'] / 2**30:.2f} GiB of memory at the peak",
        f"- {metrics['file_bytes']:,} bytes, {metrics['parameters']:,} parameters",
        f"- kernel {manifest['backend']}, seed {manifest['seed']}, commit {manifest['commit']}",
        f"- {versions}",
        "",
    ]
