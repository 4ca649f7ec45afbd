"""The part of the report of ``make size`` on pictures: bits per pixel at given PSNRs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from functools import partial
from typing import Protocol

from eval.report import Column, Table
from eval.runs import Record
from pipelines.studies.size_curves import Curve

# The codec whose bits per pixel the others' are divided by.
_REFERENCE = "WebP"


class ImageSettings(Protocol):
    """What this part needs of the study's configuration."""

    @property
    def psnrs(self) -> list[float]: ...


def images_part(config: ImageSettings, records: Sequence[Record]) -> list[str]:
    """Markdown: a row for each method."""
    bits = _bits_per_pixel(config, records)
    count = len({record["image"] for record in records})
    reference = bits.get(_REFERENCE, {})

    def mean(goal: float, method: str) -> float | None:
        return _mean(bits[method][goal])

    def ratio(goal: float, method: str) -> float | None:
        return _ratio(bits[method][goal], reference.get(goal, {}))

    def pictures(goal: float, method: str) -> int:
        return len(bits[method][goal])

    goals = sorted(config.psnrs)
    columns: list[Column[str]] = [
        Column("method", str, left=True),
        *(Column(f"bits per pixel at {g:g} dB", partial(mean, g), ".3f") for g in goals),
        *(Column(f"times {_REFERENCE} at {g:g} dB", partial(ratio, g), ".2f") for g in goals),
        *(Column(f"pictures at {g:g} dB", partial(pictures, g)) for g in goals),
    ]
    return [
        "## Pictures",
        f"PSNR over all channels, means over {count} picture(s). Bits per pixel lie on a line "
        "between the last quality below a PSNR and the first above it, over their logarithm; the "
        "mean is over the pictures on which the method reaches the PSNR. Ratios are geometric "
        f"means over the pictures on which {_REFERENCE} reaches it too. JPEG takes the better "
        "of full and half resolution of color; WebP has half only.",
        Table(columns, list(bits)).markdown(),
        "![PSNR over bits per pixel, means over the pictures; a PSNR is left out where a method "
        "does not reach it on all](size_images.png)",
    ]


def image_curves(
    config: ImageSettings, records: Sequence[Record]
) -> dict[str, list[tuple[float, float]]]:
    """For each method (bits per pixel, PSNR), means over all pictures.

    A PSNR that a method does not reach on every picture is left out: a mean over the easy ones
    alone would look like a better method.
    """
    pictures = {record["image"] for record in records}
    curves = {}
    for method, bits in _bits_per_pixel(config, records).items():
        points = [
            (statistics.fmean(found.values()), goal)
            for goal, found in bits.items()
            if found.keys() == pictures
        ]
        if points:
            curves[method] = points
    return curves


def _bits_per_pixel(
    config: ImageSettings, records: Sequence[Record]
) -> dict[str, dict[float, dict[str, float]]]:
    """By method, PSNR and picture; a picture is missing where the PSNR is not reached."""
    found: dict[str, dict[float, dict[str, float]]] = {}
    for method in dict.fromkeys(record["curve"] for record in records):
        own = [record for record in records if record["curve"] == method]
        found[method] = {goal: {} for goal in sorted(config.psnrs)}
        for image in dict.fromkeys(record["image"] for record in own):
            # A line over decibels is a line over the logarithm of the root of the mean square.
            curve = Curve.best_of(
                (r["bits_per_pixel"], _amplitude(r["psnr"])) for r in own if r["image"] == image
            )
            for goal, of_goal in found[method].items():
                size = curve.size_at(_amplitude(goal))
                if size is not None:
                    of_goal[image] = size
    return found


def _amplitude(decibels: float) -> float:
    return float(10 ** (-decibels / 20))


def _mean(values: dict[str, float]) -> float | None:
    return statistics.fmean(values.values()) if values else None


def _ratio(own: dict[str, float], other: dict[str, float]) -> float | None:
    ratios = [own[image] / other[image] for image in own.keys() & other.keys()]
    return statistics.geometric_mean(ratios) if ratios else None
