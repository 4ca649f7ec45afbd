"""Train the priors of entropy coding on the coefficients and block tables of a folder.

``python -m pipelines.studies.train_priors FOLDER geom_miner/coding/priors_3d.bin``

Each NPZ file of the folder is one signal: ``block_shape``, ``channels``, and for every scale j, 0
being the coarsest, ``codes_j`` (dense int8, as ``encode_states`` takes them) and the levels of its
coded blocks, by ascending Morton id: ``offsets_j``, ``places_j``, ``levels_j``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from geom_miner.coding import BlockLevels, ChunkSample, TableSample, train_priors

# Blocks of a chunk, as files have them.
_CHUNK = 64
# A signal is learned from in this many orders of its axes, since priors must not prefer an axis.
_ORDERS = 2


def signal_samples(
    file: Path, rng: np.random.Generator
) -> Iterator[tuple[list[ChunkSample], TableSample]]:
    """The chunks and the block table of every scale of a signal, in some order of its axes."""
    with np.load(file, allow_pickle=False) as archive:
        arrays = dict(archive)
    shape = tuple(int(size) for size in arrays["block_shape"])
    channels = int(arrays["channels"])
    order = tuple(int(axis) for axis in rng.permutation(len(shape)))
    turned = tuple(shape[axis] for axis in order)
    parents, scale = None, 0
    while f"codes_{scale}" in arrays:
        codes = np.ascontiguousarray(arrays[f"codes_{scale}"].transpose(order))
        levels = BlockLevels(
            *(arrays[f"{part}_{scale}"] for part in ("offsets", "places", "levels"))
        )
        samples = math.prod(shape)
        dense = levels.to_dense(samples).reshape(-1, *shape)
        dense = dense.transpose(0, *(axis + 1 for axis in order)).reshape(len(levels), samples)
        size = _CHUNK * channels
        chunks = [
            ChunkSample(BlockLevels.of_dense(dense[start : start + size]), turned, channels)
            for start in range(0, len(dense), size)
        ]
        yield chunks, TableSample(codes, parents)
        parents, scale = codes, scale + 1


def main(
    folder: Annotated[Path, tyro.conf.Positional], output: Annotated[Path, tyro.conf.Positional]
) -> None:
    """Train priors.

    Parameters
    ----------
    folder : NPZ files of signals of one kind.
    output : file to write, replaced if it exists.
    """
    rng = np.random.default_rng(0)
    chunks: list[ChunkSample] = []
    tables: list[TableSample] = []
    for file in sorted(folder.glob("*.npz")):
        for _ in range(_ORDERS):
            for some, table in signal_samples(file, rng):
                chunks += some
                tables.append(table)
    output.write_bytes(train_priors(chunks, tables))


if __name__ == "__main__":
    tyro.cli(main)
