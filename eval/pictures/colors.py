"""Colors of a fit's scales, and of distances to the source (logarithmic, even to the eye)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from geom_miner.errors import missing_extra

Floats = npt.NDArray[np.float64]

# Matplotlib's perceptually uniform map from dark to light, reversed: near is as pale as paper,
# far is dark. Its ends are cut: white hides the light on the surface, and black the shape.
_MAP, _PALE, _DARK = "magma", 0.97, 0.12
# A scale spans no more than this: three powers of ten.
_SPAN = 1000.0
# One color per scale (sRGB), finest first; told apart in gray print and by color-blind readers.
SCALE_COLORS = (
    (0.86, 0.44, 0.30),
    (0.93, 0.72, 0.36),
    (0.45, 0.66, 0.58),
    (0.36, 0.51, 0.72),
    (0.47, 0.38, 0.58),
    (0.60, 0.60, 0.60),
)


def scale_color(scale: int) -> tuple[float, float, float]:
    """The color of a scale; coarse scales beyond the table share its last one."""
    return SCALE_COLORS[min(scale, len(SCALE_COLORS) - 1)]


@dataclass(frozen=True)
class ErrorScale:
    """Distances from ``low`` or less to ``high`` or more, in ``unit``s of ``length``.

    Parameters
    ----------
    unit : its name.
    length : of one unit, in world units.
    """

    low: float
    high: float
    unit: str
    length: float

    def colors(self, distances: npt.ArrayLike) -> Floats:
        """Distances (n,) in world units as sRGB in [0, 1], (n, 3)."""
        values = np.asarray(distances, dtype=np.float64) / self.length
        share = np.log(np.maximum(values, 1e-300) / self.low) / math.log(self.high / self.low)
        return _color_map(np.clip(share, 0.0, 1.0))

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Positions in [0, 1] on the bar of its ends and of powers of ten, with their labels."""
        first, last = math.log10(self.low), math.log10(self.high)
        inner = [10.0**k for k in range(math.floor(first) + 1, math.ceil(last))]
        # A label close to an end of the bar would overlap the label of that end.
        apart = [
            v
            for v in inner
            if min(math.log10(v) - first, last - math.log10(v)) > 0.26 * (last - first)
        ]
        labels = [(self.low, f"≤ {self.low:g}"), *((v, f"{v:g}") for v in apart)]
        labels.append((self.high, f"≥ {self.high:g}"))
        return [((math.log10(v) - first) / (last - first), text) for v, text in labels]

    @property
    def stops(self) -> list[tuple[int, int, int]]:
        """Colors at even distances on the bar, red, green and blue from 0 to 255."""
        colors = (255 * _color_map(np.linspace(0, 1, 13))).round().astype(int).tolist()
        return [(red, green, blue) for red, green, blue in colors]


def scale_for(distances: Sequence[Floats], *, unit: str, length: float) -> ErrorScale:
    """A scale on which each of these sets of distances shows differences.

    It reaches from the median of the best set to the 95th percentile of the worst, in round
    numbers. If that is more than three powers of ten, the low end is raised.
    """
    values = [each[np.isfinite(each)] / length for each in distances]
    values = [each for each in values if len(each)]
    low = min((float(np.median(each)) for each in values), default=0.0)
    high = max((float(np.quantile(each, 0.95)) for each in values), default=0.0)
    high = _round_number(max(high, 1e-12), up=True)
    low = _round_number(max(low, high / _SPAN), up=False)
    return ErrorScale(min(low, high / 10), high, unit, length)


def _round_number(value: float, *, up: bool) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    steps = [float(f"{step * power:.3g}") for step in (1, 2, 5, 10)]
    near = 1e-9 * value
    if up:
        return next(step for step in steps if step >= value - near)
    return next(step for step in reversed(steps) if step <= value + near)


def _color_map(shares: npt.ArrayLike) -> Floats:
    try:
        from matplotlib import colormaps
    except ImportError as error:
        raise missing_extra("error colors need matplotlib", "eval") from error
    at = _PALE + (_DARK - _PALE) * np.asarray(shares, dtype=np.float64)
    return np.asarray(colormaps[_MAP](at), dtype=np.float64)[..., :3]
