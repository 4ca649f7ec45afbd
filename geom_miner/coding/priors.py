"""What the models know before the first decision of a chunk or table: shipped, and trained once."""

from __future__ import annotations

import zlib
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from geom_miner.coding import coefficients, states
from geom_miner.coding.arithmetic import SQUASH, STRETCH, Model
from geom_miner.errors import GeomMinerError

# A counter starts as if it had seen at most this many decisions. More would keep it from adapting
# within a chunk of 64 blocks.
_MOST_SEEN = 30
_SHAPES = ((coefficients.COUNTERS, coefficients.MIXES), (states.COUNTERS, states.MIXES))


class Priors(NamedTuple):
    """Models to start from; they are copied before they adapt."""

    chunk: Model
    table: Model


def untrained() -> Priors:
    """Models that know nothing."""
    models = (
        Model(
            np.full(counters, 1 << 20, dtype=np.int32),
            np.zeros(counters, dtype=np.uint8),
            np.full((mixes, coefficients.INPUTS), 1 << 14, dtype=np.int32),
        )
        for counters, mixes in _SHAPES
    )
    return Priors(*models)


@lru_cache(maxsize=4)
def priors(ndim: int) -> Priors:
    """The shipped models for signals of a dimension: those of images up to 2, else of volumes."""
    name = "priors_2d.bin" if ndim <= 2 else "priors_3d.bin"
    return unpacked((Path(__file__).parent / name).read_bytes())


def packed(models: Priors) -> bytes:
    """Models as bytes, rounded; ``docs/format.md`` gives the layout."""
    parts = []
    for model in models:
        logits = (STRETCH[model.counters >> 10] + 8) >> 4
        parts += [
            (np.clip(logits, -127, 127) + 128).astype(np.uint8).tobytes(),
            np.minimum(model.seen, _MOST_SEEN).astype(np.uint8).tobytes(),
            np.clip(model.weights >> 4, -(1 << 15), (1 << 15) - 1).astype("<i2").tobytes(),
        ]
    return zlib.compress(b"".join(parts), 9)


def unpacked(data: bytes) -> Priors:
    """Models from bytes.

    Raises
    ------
    GeomMinerError
        The bytes are not those of two models.
    """
    content = zlib.decompress(data)
    if len(content) != sum(
        2 * counters + 2 * mixes * coefficients.INPUTS for counters, mixes in _SHAPES
    ):
        raise GeomMinerError("priors must hold the counters of this version; train them again")
    models, at = [], 0
    for counters, mixes in _SHAPES:
        logits = np.frombuffer(content, np.uint8, counters, at).astype(np.int64) - 128
        seen = np.frombuffer(content, np.uint8, counters, at + counters)
        weights = np.frombuffer(content, "<i2", mixes * coefficients.INPUTS, at + 2 * counters)
        at += 2 * counters + 2 * mixes * coefficients.INPUTS
        chances = SQUASH[np.clip(16 * logits, -2047, 2047) + 2048].astype(np.int32)
        models.append(
            Model(
                chances << 6,
                seen.copy(),
                weights.astype(np.int32).reshape(mixes, coefficients.INPUTS) << 4,
            )
        )
    return Priors(*models)


def fresh(model: Model) -> Model:
    """A copy that may adapt."""
    return Model(model.counters.copy(), model.seen.copy(), model.weights.copy())
