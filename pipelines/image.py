"""From an image file to its levels of detail with figures and pictures.

``python -m pipelines.image configs/image.yaml --image photo.png``
"""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console

from eval import evaluate_image_levels
from eval.levels import ImageLevel
from eval.pictures import contact_sheet, draw_block_outlines, quality_over_time, write_picture
from eval.report import image_report
from eval.runs import manifest, peak_rss_bytes, portable, run_folder, write_json, write_text
from geom_miner import fit_to_file, load_model, read_image, write_image
from geom_miner.grid import SourceInfo
from geom_miner.kernels import choose_device
from geom_miner.media import ImageSignal, image_to_blocks
from geom_miner.progress_bars import FitBar
from geom_miner.targets import image_target
from pipelines.command import Earlier, run_pipeline
from pipelines.config import ImageRun, fit_settings
from pipelines.pictures import time_line

# Longest side of one picture in the report's sheet.
_SHEET_SIDE = 560


def run_image(run: ImageRun, *, fresh: bool, force: bool = False, console: Console) -> Path:
    """Make ``<output>/<name>/`` with model, decoded images, metrics, manifest and report.

    Parameters
    ----------
    fresh : fit anew instead of going on with an earlier run.
    force : write into a folder that holds files of another program.
    """
    with run_folder(Path(run.output) / Path(run.image).stem, run, force=force) as folder:
        _run_in(folder, run, fresh, console)
    return folder


def _run_in(folder: Path, run: ImageRun, fresh: bool, console: Console) -> None:
    started = time.perf_counter()
    settings, device = fit_settings(run), choose_device(run.device)
    image, name = read_image(run.image), Path(run.image).stem
    target = image_target(
        image,
        scales=settings.scales,
        block_size=settings.block_size,
        source=SourceInfo(name),
    )
    model = folder / "model.miner"
    with FitBar(console) as bar:
        result = fit_to_file(
            target.to(device),
            settings,
            model,
            observer=bar,
            backend=run.backend,
            fresh=fresh,
            force=True,
        )
    seconds = {entry.scale: entry.seconds for entry in result.history}
    signal, _ = image_to_blocks(image, settings.block_size)
    levels = evaluate_image_levels(model, signal, seconds=seconds)
    _draw(folder, image, levels)
    height, width = target.grid.shape
    metrics = {
        "name": name,
        "source": {"name": Path(run.image).name},
        "resolution": f"{height} x {width}",
        "pixels": width * height,
        "wall_seconds": time.perf_counter() - started,
        "fit_seconds": sum(seconds.values()),
        "resumed_scales": result.resumed_scales,
        "peak_rss_bytes": peak_rss_bytes(),
        "file_bytes": model.stat().st_size,
        "parameters": result.representation.num_parameters,
        "lods": [asdict(level) for level in levels],
    }
    facts = manifest(
        config=portable(run, fit=asdict(settings)),
        seed=settings.seed,
        device=device,
        backend=str(result.representation.metadata["backend"]),
    )
    write_json(folder / "metrics.json", metrics)
    write_json(folder / "manifest.json", facts)
    write_text(folder / "report.md", image_report(metrics, facts))


def _draw(folder: Path, image: ImageSignal, levels: list[ImageLevel]) -> None:
    """Write lod_<scale>.png, lods.png, active_blocks.png and quality.png."""
    representation = load_model(folder / "model.miner")
    shape = representation.grid.shape
    sheet, captions = [_thumbnail(image.samples, shape)], ["source\n"]
    for level in levels[::-1]:
        samples = representation.decode(level.scale).to_dense(level.shape).numpy()
        write_image(folder / f"lod_{level.scale}.png", samples, bits=image.bits)
        sheet.append(_thumbnail(samples, shape))
        captions.append(
            f"LoD {level.scale}: {level.shape[0]} x {level.shape[1]}\n{level.psnr:.2f} dB"
        )
    write_picture(folder / "lods.png", contact_sheet(sheet, captions))

    finest = representation.scales[-1]
    corners = finest.layout.starts_of(finest.fitted_ids).numpy()
    picture = np.rint(np.clip(image.samples, 0, 1) * 255).astype(np.uint8)
    rgb = np.ascontiguousarray(picture[..., [0, 0, 0] if picture.shape[-1] < 3 else [0, 1, 2]])
    size = (finest.layout.block_shape[0], finest.layout.block_shape[1])
    write_picture(folder / "active_blocks.png", draw_block_outlines(rgb, corners, size))
    quality_over_time(
        time_line(levels, [level.psnr for level in levels]),
        folder / "quality.png",
        quantity="PSNR (dB)",
    )


def _thumbnail(samples: npt.NDArray[np.float32], shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """RGB at the sheet's size by nearest samples, so that a coarse scale shows its pixels."""
    factor = min(1.0, _SHEET_SIDE / max(shape))
    rows, columns = (
        np.minimum(
            (np.arange(max(1, round(full * factor))) + 0.5) / max(1, round(full * factor)) * own,
            own - 1,
        ).astype(int)
        for full, own in zip(shape, samples.shape, strict=False)
    )
    picture = np.rint(np.clip(samples[rows][:, columns], 0, 1) * 255).astype(np.uint8)
    return np.asarray(picture[..., [0, 0, 0] if picture.shape[-1] < 3 else [0, 1, 2]])


def main() -> int:
    """Run from the command line."""

    def work(run: ImageRun, earlier: Earlier, console: Console) -> None:
        folder = run_image(run, fresh=earlier.fresh, force=earlier.force, console=console)
        console.print(f"Wrote {folder}/: start with report.md", highlight=False)

    return run_pipeline(
        work,
        ImageRun,
        module="pipelines.image",
        summary="Fit an image and report on it.",
        overrides=("image", "output"),
    )


if __name__ == "__main__":
    raise SystemExit(main())
