"""Good files of the project's own formats, made once in a process, that inputs are made from."""

from __future__ import annotations

import contextlib
import json
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from eval.clouds import PointCloud
from eval.methods import Budget, Options, find_method
from geom_miner import (
    FitSettings,
    GeomMinerError,
    Target,
    TriangleMesh,
    VoxelizeSettings,
    fit_to_file,
    mesh_target,
)
from geom_miner.fit import CosineSettings, Observer
from geom_miner.media import ImageSignal
from geom_miner.model import FittedBatch
from geom_miner.targets import image_target

# Two scales and a few steps: a fit takes a twentieth of a second.
TINY_FIT = FitSettings(scales=2, block_size=2, width=2, depth=1, steps=3, coarse_steps=3)
# So little memory that the finest scale has two batches.
BATCHED = 1


@cache
def tiny_target() -> Target:
    """A picture of 40 x 40 pixels, noise, so that no block is a constant."""
    samples = np.random.default_rng(0).random((40, 40, 1), dtype=np.float32)
    return image_target(ImageSignal(samples, 8), scales=2, block_size=2)


@cache
def good_model() -> bytes:
    """A model file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "good.miner"
        fit_to_file(tiny_target(), TINY_FIT, path, backend="reference")
        return path.read_bytes()


@cache
def good_volume() -> bytes:
    """A model file of the octahedron's occupancy."""
    target = mesh_target(sphere(), "occupancy", VoxelizeSettings(8), scales=2, block_size=2).target
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "good.miner"
        fit_to_file(target, TINY_FIT, path, backend="reference")
        return path.read_bytes()


@cache
def good_cosines() -> bytes:
    """A model file of cosine blocks: the octahedron's distance."""
    target = mesh_target(sphere(), "distance", VoxelizeSettings(24), scales=2, block_size=4).target
    settings = CosineSettings(scales=2, block_size=4, step=0.2, coarse_step=0.2, iterations=20)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "good.miner"
        fit_to_file(target, settings, path, backend="reference")
        return path.read_bytes()


class _Interrupted(Exception):
    """Ends a fit in the middle of a scale."""


class _StopsInTheLastScale(Observer):
    def on_batch(self, batch: FittedBatch) -> None:
        if batch.scale == 0:
            raise _Interrupted


@cache
def good_part() -> tuple[bytes, bytes]:
    """What an interrupted fit left: the model so far, with a batch, and its history."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "good.miner"
        with contextlib.suppress(_Interrupted):
            observer = _StopsInTheLastScale()
            fit_to_file(
                tiny_target(),
                TINY_FIT,
                path,
                observer=observer,
                backend="reference",
                memory=BATCHED,
            )
        part = path.with_name("good.miner.part")
        return part.read_bytes(), part.with_name("good.miner.part.history.json").read_bytes()


@cache
def sphere() -> TriangleMesh:
    """An octahedron."""
    corners = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1.0]])
    upper = [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4]]
    return TriangleMesh(corners, np.array([*upper, *([b, a, 5] for a, b, _ in upper)]))


@cache
def small_cloud() -> PointCloud:
    """Points on a sphere with their normals."""
    points = np.random.default_rng(0).normal(size=(60, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return PointCloud(points, points)


def train_a_step(checkpoint: Path) -> None:
    """Go on with a training from its checkpoint, or begin one, for one step."""
    options = Options(budget=Budget(steps=1), resolution=16, checkpoint=checkpoint)
    with contextlib.suppress(NoSurface):
        try:
            find_method("igr").reconstruct(small_cloud(), options)
        except GeomMinerError as error:
            if "surface" not in str(error):
                raise
            raise NoSurface from error


class NoSurface(Exception):
    """A training of one step found no surface, as is to be expected."""


@cache
def good_checkpoint() -> bytes:
    """A checkpoint of one step."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "good.checkpoint"
        train_a_step(path)
        return path.read_bytes()


def good_records() -> bytes:
    """Records of a study."""
    rows = [{"shape": "cup", "faces": 12, "seconds": 0.5, "tags": ["a", None]}, {"shape": "ü"}]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()
