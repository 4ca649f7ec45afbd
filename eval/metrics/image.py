"""Errors of images, or other sampled signals, with values in [0, 1]."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from eval.errors import MetricError
from geom_miner.grid import SparseBlocks, mean_squared_error, peak_signal_to_noise


def mse(prediction: npt.ArrayLike, target: npt.ArrayLike) -> float:
    """Mean squared error over all pixels and channels, summed in float64.

    Parameters
    ----------
    prediction, target : arrays or CPU tensors of one shape, floating point, data range 1.

    Raises
    ------
    MetricError
        Shapes differ, there is no value, a value is NaN or infinite, or the values are integers
        (which would not have the data range 1).
    """
    p, g = np.asarray(prediction), np.asarray(target)
    if p.shape != g.shape:
        raise MetricError(f"prediction and target must have one shape, got {p.shape} and {g.shape}")
    if not p.size:
        raise MetricError("prediction and target must hold at least one value")
    for name, values in (("prediction", p), ("target", g)):
        if not np.issubdtype(values.dtype, np.floating):
            raise MetricError(f"{name} must be floating point in [0, 1], got {values.dtype}")
    with np.errstate(invalid="ignore"):  # infinity minus infinity is refused below
        error = float(np.mean(np.square(np.subtract(p, g, dtype=np.float64))))
    return _check_finite(error)


def mse_sparse(prediction: SparseBlocks, target: SparseBlocks, *, shape: tuple[int, ...]) -> float:
    """The same mean for sparse signals of one layout, without building dense arrays.

    Parameters
    ----------
    prediction, target : signals with the same number of channels.
    shape : samples per axis without padding, which does not count.
    """
    if prediction.channels != target.channels:
        raise MetricError(
            "prediction and target must have equally many channels, "
            f"got {prediction.channels} and {target.channels}"
        )
    if not math.prod(shape):
        raise MetricError("prediction and target must hold at least one value")
    return _check_finite(mean_squared_error(prediction, target, shape))


def psnr(prediction: npt.ArrayLike, target: npt.ArrayLike, *, peak: float = 1.0) -> float:
    """Peak signal-to-noise ratio 10 log10(peak^2 / MSE) in decibels; identical images give inf.

    Parameters
    ----------
    peak : the range of values that the target uses, 1 for all of [0, 1].
    """
    return peak_signal_to_noise(mse(prediction, target), peak)


def psnr_sparse(
    prediction: SparseBlocks, target: SparseBlocks, *, shape: tuple[int, ...], peak: float = 1.0
) -> float:
    """``psnr`` of sparse signals; see ``mse_sparse``."""
    return peak_signal_to_noise(mse_sparse(prediction, target, shape=shape), peak)


def _check_finite(error: float) -> float:
    if not math.isfinite(error):
        raise MetricError("prediction and target must be finite, got NaN or infinity")
    return error
