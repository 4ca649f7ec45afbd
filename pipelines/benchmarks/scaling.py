"""How time and memory grow with the resolution, and whether results stay the same at size.

``python -m pipelines.benchmarks.scaling configs/scaling.yaml [--sections growth triangles]``
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from eval import iou_voxel_sparse, load_open3d
from eval.isolation import in_own_process
from eval.pictures import growth_figure
from eval.runs import (
    device_name,
    manifest,
    peak_rss_bytes,
    portable,
    run_folder,
    write_json,
    write_text,
)
from geom_miner import VoxelizeSettings, extract_level, fit_to_file, load_model, voxelize_mesh
from geom_miner.errors import SettingsError
from geom_miner.targets import target_of_occupancy
from pipelines.benchmarks.many_triangles import (
    ask_open3d,
    measure_triangles,
    shape_mesh,
    triangles_report,
    write_subdivided,
)
from pipelines.benchmarks.reproducibility import (
    compare_after_kill,
    compare_files,
    same_file_report,
    settings_at,
)
from pipelines.benchmarks.warm_up import warm_up
from pipelines.command import Earlier, run_pipeline

_GIB = 2**30

# Growth with the surface, n^2, is 4 per doubling; what is beyond is overhead.
LARGEST_FACTOR = 4.6

SECTIONS = ("growth", "triangles", "same_file", "resume")


@dataclass(frozen=True)
class ScalingConfig:
    """What is made at which resolutions."""

    shape: str
    """Shape: a name or a path."""
    sections: list[str] = field(default_factory=lambda: list(SECTIONS))
    """Sections to run: growth, triangles, same_file, resume."""
    voxelized: list[int] = field(default_factory=list)
    """Resolutions at which the shape is voxelized and its pyramid built."""
    fitted: list[int] = field(default_factory=list)
    """Resolutions at which it is also fitted to a file and meshed from it."""
    subdivisions: int = 4
    """Times that every triangle is cut into four, for the mesh of many triangles."""
    subdivided_resolution: int = 1024
    """Resolution at which that one is voxelized."""
    whole_resolution: int = 256
    """Resolution at which the uncut shape is compared with Open3D, on all samples."""
    open3d_samples: int = 2_000_000
    """Samples on which the mesh of many triangles is compared; 0 leaves Open3D out."""
    same_resolution: int = 256
    """Resolution of the fits that must end in one file."""
    memories: list[str] = field(default_factory=lambda: ["8MB", "16MB", "0.5GB", "2GB", "8GB"])
    """Memory of each of them; the first is also that of the fit that is killed."""
    threads: list[int] = field(default_factory=lambda: [1, 2])
    """Threads of each of them."""
    preset: str = "volume"
    """Settings of the fits."""
    output: str = "runs/scaling"
    """Folder to write."""

    def __post_init__(self) -> None:
        unknown = [part for part in self.sections if part not in SECTIONS]
        if unknown:
            raise SettingsError(f"sections must be of {', '.join(SECTIONS)}, got {unknown[0]!r}")
        if not self.memories or not self.threads or min(self.threads) < 1:
            raise SettingsError("memories and threads must name at least one, threads from 1 on")


def run_scaling(run: ScalingConfig, *, force: bool = False, console: Console) -> dict[str, Any]:
    """All sections; written after each step, so that an interrupt loses little.

    Parameters
    ----------
    force : write into a folder that holds files of another program.
    """
    with run_folder(Path(run.output), run, force=force) as folder:
        return _run_in(folder, run, console)


def _run_in(folder: Path, run: ScalingConfig, console: Console) -> dict[str, Any]:
    out: dict[str, Any] = {"rows": [], "triangles": {}, "same_file": [], "resume": None}

    def save() -> None:
        facts = manifest(config=portable(run), seed=0, device="cpu", backend="cpu")
        write_json(folder / "scaling.json", {**facts, **out})
        write_text(folder / "report.md", growth_report(run, out))

    if "triangles" in run.sections and run.open3d_samples:
        # Said before the long work, not after.
        in_own_process(_check_open3d)
    if "growth" in run.sections:
        for resolution in sorted({*run.voxelized, *run.fitted}):
            stages = "fit and meshes" if resolution in run.fitted else "voxels and pyramid"
            with console.status(f"{run.shape} {resolution}^3: {stages}"):
                row = in_own_process(measure_growth, run, resolution)
            out["rows"].append(row)
            save()
            console.print(_row(row), markup=False, highlight=False)
        _plot(out["rows"], folder / "scaling.png")
    if "triangles" in run.sections:
        with console.status("a mesh of many triangles, and Open3D"):
            out["triangles"] = compare_triangles(run)
        save()
    if "same_file" in run.sections:
        with console.status("fits that must end in one file"):
            out["same_file"] = compare_files(
                run.shape, run.same_resolution, run.preset, run.memories, run.threads
            )
        save()
    if "resume" in run.sections:
        with console.status("a fit that is killed"):
            out["resume"] = compare_after_kill(
                run.shape, run.same_resolution, run.preset, run.memories[0], max(run.threads)
            )
        save()
    console.print(growth_report(run, out), markup=False, highlight=False, soft_wrap=True)
    return out


def compare_triangles(run: ScalingConfig) -> dict[str, dict[str, Any]]:
    """The shape as it is and cut into many triangles: what both cost, beside Open3D."""
    found = {}
    whole = run.whole_resolution
    cases = {
        "as it is": (0, whole, whole**3),
        "subdivided": (run.subdivisions, run.subdivided_resolution, run.open3d_samples),
    }
    for name, (times, resolution, samples) in cases.items():
        with tempfile.TemporaryDirectory() as scratch:
            path, answers = Path(scratch) / "mesh.ply", Path(scratch) / "answers.npz"
            in_own_process(write_subdivided, run.shape, times, path)
            asked = samples if run.open3d_samples else 0
            row = in_own_process(measure_triangles, path, resolution, run.preset, asked, answers)
            if asked:
                row["open3d"] = in_own_process(ask_open3d, path, answers, run.shape)
        found[name] = row
    return found


def measure_growth(run: ScalingConfig, resolution: int) -> dict[str, Any]:
    """One resolution, stage by stage; the memory of voxels and pyramid apart from the fit's."""
    base = warm_up(run.preset)
    mesh = shape_mesh(run.shape)
    settings = settings_at(resolution, run.preset)
    row: dict[str, Any] = {"resolution": resolution, "base_rss_bytes": base}

    def timed(stage: str, work: Callable[[], Any]) -> Any:
        began, cpu = time.perf_counter(), time.process_time()
        result = work()
        row[f"{stage}_seconds"] = time.perf_counter() - began
        row[f"{stage}_cpu_seconds"] = time.process_time() - cpu
        return result

    voxels = VoxelizeSettings(resolution=resolution)
    occupancy = timed(
        "voxelize", lambda: voxelize_mesh(mesh, voxels, block_size=settings.block_size)
    )
    row["surface_blocks"] = len(occupancy.blocks.ids)
    target = timed(
        "pyramid", lambda: target_of_occupancy(occupancy, "occupancy", scales=settings.scales)
    )
    row["voxels_and_pyramid_seconds"] = row["voxelize_seconds"] + row["pyramid_seconds"]
    row["voxels_peak_rss_bytes"] = peak_rss_bytes()
    if resolution not in run.fitted:
        return row
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.miner"
        timed("fit", lambda: fit_to_file(target, settings, path))
        model = load_model(path)
        row["file_bytes"] = path.stat().st_size
    row["parameters"] = model.num_parameters
    row["fit_peak_rss_bytes"] = peak_rss_bytes()
    decoded = timed("decode", lambda: model.decode(0))
    row["iou"] = iou_voxel_sparse(
        decoded,
        occupancy.blocks.extended(decoded.layout),
        shape=occupancy.grid.shape,
        threshold=0.5,
    )
    del decoded
    surface = timed("extract", lambda: extract_level(model, 0))
    row["faces"] = len(surface.faces)
    stages = ("voxelize", "fit", "decode", "extract")
    row["all_seconds"] = sum(row[f"{stage}_seconds"] for stage in stages)
    row["all_peak_rss_bytes"] = peak_rss_bytes()
    return row


# Title of each column of the table, its entry in a row, and what it is divided by.
_COLUMNS = (
    ("voxels, s", "voxelize_seconds", 1),
    ("pyramid, s", "pyramid_seconds", 1),
    ("both, s", "voxels_and_pyramid_seconds", 1),
    ("peak so far, GiB", "voxels_peak_rss_bytes", _GIB),
    ("fit, s", "fit_seconds", 1),
    ("peak so far, GiB", "fit_peak_rss_bytes", _GIB),
    ("decoding, s", "decode_seconds", 1),
    ("meshing, s", "extract_seconds", 1),
    ("all, s", "all_seconds", 1),
    ("peak, GiB", "all_peak_rss_bytes", _GIB),
)
# Entries that the limit is for: whole runs, of which some have no fit.
_LIMITED = (
    "voxels_and_pyramid_seconds",
    "voxels_peak_rss_bytes",
    "all_seconds",
    "all_peak_rss_bytes",
)
_STAGES = [name for _, name, _ in _COLUMNS if name not in _LIMITED]


def factors(rows: list[dict[str, Any]]) -> dict[tuple[int, str], float]:
    """By resolution and entry, how many times that of half the resolution it is."""
    known = {row["resolution"]: row for row in rows}
    return {
        (resolution, name): row[name] / known[resolution // 2][name]
        for resolution, row in known.items()
        for _, name, _ in _COLUMNS
        if name in row and name in known.get(resolution // 2, {})
    }


def growth_report(run: ScalingConfig, out: dict[str, Any]) -> str:
    """Markdown: a part for each section that has results."""
    lines = ["# At size", "", f"On {device_name('cpu')}.", ""]
    if out["rows"]:
        lines += [f"## Growth, {run.shape}", "", *_growth_table(out["rows"]), ""]
    lines += triangles_report(out["triangles"], run.open3d_samples)
    lines += same_file_report(out["same_file"], out["resume"])
    return "\n".join(lines).rstrip() + "\n"


def _growth_table(rows: list[dict[str, Any]]) -> list[str]:
    grown = factors(rows)
    base = max(row["base_rss_bytes"] for row in rows) / _GIB
    titles = ["resolution", "surface blocks", *(title for title, _, _ in _COLUMNS), "IoU"]
    lines = [
        "In brackets, the factor over half the resolution. Everything is compiled before a clock "
        "starts; `all` leaves out the pyramid, which a fit builds for itself. Peaks are of "
        f"resident memory, of which the interpreter takes up to {base:.2f} GiB.",
        "",
        f"| {' | '.join(titles)} |",
        f"|{'---:|' * len(titles)}",
    ]
    for row in rows:
        cells = [str(row["resolution"]), f"{row['surface_blocks']:,}"]
        for _, name, unit in _COLUMNS:
            factor = grown.get((row["resolution"], name))
            cells.append(f"{row[name] / unit:.2f}" if name in row else "-")
            cells[-1] += f" (x{factor:.2f})" if factor else ""
        cells.append(f"{row['iou']:.5f}" if "iou" in row else "-")
        lines.append(f"| {' | '.join(cells)} |")
    for names, what in ((_LIMITED, "Whole runs"), (_STAGES, "Single stages")):
        known = {key: factor for key, factor in grown.items() if key[1] in names}
        if known:
            (resolution, name), worst = max(known.items(), key=lambda item: item[1])
            lines += [
                "",
                f"{what}: the largest factor per doubling is {worst:.2f} ({name} at "
                f"{resolution}), {'within' if worst <= LARGEST_FACTOR else 'BEYOND'} "
                f"{LARGEST_FACTOR}, the largest that this benchmark accepts (growth with the "
                "surface is 4).",
            ]
    return lines


def _plot(rows: list[dict[str, Any]], path: Path) -> None:
    peaks = [row.get("all_peak_rss_bytes", row["voxels_peak_rss_bytes"]) / _GIB for row in rows]
    growth_figure(
        [row["resolution"] for row in rows],
        {
            "voxels, s": [row["voxelize_seconds"] for row in rows],
            "fit, s": [row.get("fit_seconds") for row in rows],
            "peak memory, GiB": peaks,
        },
        path,
    )


def _check_open3d() -> None:
    load_open3d()


def _row(row: dict[str, Any]) -> str:
    parts = [f"{title} {row[name] / unit:.2f}" for title, name, unit in _COLUMNS if name in row]
    return f"{row['resolution']}^3: {'; '.join(parts)}"


def main() -> int:
    """Run from the command line."""

    def work(run: ScalingConfig, earlier: Earlier, console: Console) -> None:
        run_scaling(run, force=earlier.force, console=console)
        console.print(f"Wrote {run.output}/: report.md, scaling.json, scaling.png", highlight=False)

    return run_pipeline(
        work,
        ScalingConfig,
        module="pipelines.benchmarks.scaling",
        summary="Measure how time and memory grow; everything in processes of its own.",
        overrides=("sections", "fitted", "output"),
    )


if __name__ == "__main__":
    raise SystemExit(main())
