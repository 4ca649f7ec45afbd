"""Colors for distances: one scale for all pictures of a shape, logarithmic, even to the eye."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from geom_miner.errors import missing_extra

Floats = npt.NDArray[np.float64]

# Matplotlib's perceptually uniform map from dark to light, turned around: near is pale as paper,
# far is dark. Its ends are cut: white hides the light on the surface, and black the shape.
_MAP, _PALE, _DARK = "magma", 0.97, 0.12
# A scale spans no more than this: three powers of ten.
_SPAN = 1000.0


@dataclass(frozen=True)
class ErrorScale:
    """Distances from ``low`` or less to ``high`` or more, in ``unit``s of ``length``.

    Parameters
    ----------
    unit : in words.
    length : of one unit, world units.
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
        """Places of the powers of ten, and the ends, on the bar in [0, 1], and their words."""
        first, last = math.log10(self.low), math.log10(self.high)
        inner = [10.0**k for k in range(math.floor(first) + 1, math.ceil(last))]
        # Words beside those of an end would run into them.
        apart = [
            v
            for v in inner
            if min(math.log10(v) - first, last - math.log10(v)) > 0.26 * (last - first)
        ]
        words = [(self.low, f"≤ {self.low:g}"), *((v, f"{v:g}") for v in apart)]
        words.append((self.high, f"≥ {self.high:g}"))
        return [((math.log10(v) - first) / (last - first), text) for v, text in words]

    @property
    def gradient(self) -> str:
        """The bar as a CSS gradient from left to right."""
        stops = (255 * _color_map(np.linspace(0, 1, 13))).round().astype(int).tolist()
        return f"linear-gradient(to right, {', '.join(f'rgb({r},{g},{b})' for r, g, b in stops)})"


def scale_for(distances: Sequence[Floats], *, unit: str, length: float) -> ErrorScale:
    """A scale on which all of these sets of distances tell something.

    From the nearest half of the best set to the farthest twentieth of the worst, in round numbers;
    if that is more than three powers of ten, the near end gives way.
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
