"""The kinds of input that are tried: how one is made, and what reads it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.campaigns import cloud_inputs, commands, finds, good_files, picture_inputs
from pipelines.campaigns.dice import Dice
from pipelines.campaigns.gltf_inputs import make_glb, make_gltf
from pipelines.campaigns.mutations import CHECKSUMMED
from pipelines.campaigns.ply_inputs import make_ply
from pipelines.campaigns.text_inputs import make_obj, make_off, make_stl

# Files by their names; the first is the one that is read.
Files = dict[str, bytes]


class WrongResult(AssertionError):
    """An input was accepted, and what came of it contradicts itself."""


@dataclass(frozen=True)
class Kind:
    """A kind of input.

    Parameters
    ----------
    make : gives the files of an input.
    read : reads the first of them as the project does; raises WrongResult if the result is wrong.
    share : of the inputs of a run, relative to other kinds; kinds that take long have less.
    """

    make: Callable[[Dice], Files]
    read: Callable[[Path], object]
    share: float = 1.0


def make_input(kind: str, seed: int) -> Files:
    """The input of a kind with a seed; the lowest seeds give the finds of earlier campaigns."""
    known = finds.FINDS.get(kind, ())
    if seed < len(known):
        return known[seed]()
    rng = random.Random(f"{kind} {seed}")
    return KINDS[kind].make(Dice.of(rng))


def _one_file(suffix: str, make: Callable[[Dice], bytes]) -> Callable[[Dice], Files]:
    return lambda dice: {f"input{suffix}": make(dice)}


def _mutated(kind: str, suffix: str, good: Callable[[], bytes]) -> Callable[[Dice], Files]:
    """A good file, changed by the mutation of the kind, its checksums recomputed."""

    def make(dice: Dice) -> Files:
        return {f"input{suffix}": CHECKSUMMED[kind](good(), dice.rng)}

    return make


def _read_mesh(path: Path) -> None:
    import numpy as np

    from geom_miner import read_mesh

    mesh = read_mesh(path)
    if not len(mesh.faces) or mesh.faces.min() < 0 or mesh.faces.max() >= len(mesh.vertices):
        raise WrongResult("a face names a vertex that is not there")
    if not np.isfinite(mesh.vertices[mesh.faces]).all():
        raise WrongResult("a corner of a face is not finite")


def _read_picture(path: Path) -> None:
    import numpy as np

    from geom_miner import read_image

    samples = read_image(path).samples
    if not samples.size or not np.isfinite(samples).all():
        raise WrongResult("a sample is not finite")


def _read_cloud(path: Path) -> None:
    import numpy as np

    from eval.clouds import read_cloud

    cloud = read_cloud(path)
    if not len(cloud.points) or not np.isfinite(cloud.points).all():
        raise WrongResult("a point is not finite")


def _read_model(path: Path) -> None:
    """What ``info``, ``decode`` and ``query`` do; grids within what a fuzzer can afford."""
    import math

    import numpy as np

    from geom_miner import load_model
    from geom_miner.storage import describe_model

    describe_model(path)
    representation = load_model(path)
    if math.prod(representation.grid.shape) <= 1 << 20:
        samples = representation.decode(0).to_dense(representation.grid.shape).numpy()
        if not np.isfinite(samples).all():
            raise WrongResult("a decoded sample is not finite")


def _read_array(path: Path) -> None:
    """What ``query`` does with the points that it is given."""
    from geom_miner.media import read_array

    read_array(path)


def _go_on_with_fit(path: Path) -> None:
    """Fit where a part with its history was left.

    A part as it was left gives the uninterrupted fit, whatever its history says; one whose numbers
    are changed, with their checksum, may give another.
    """
    from geom_miner import fit_to_file

    model = path.with_name("input.miner")
    is_whole = path.read_bytes() == good_files.good_part()[0]
    fit_to_file(good_files.tiny_target(), good_files.TINY_FIT, model, backend="reference")
    if is_whole and model.read_bytes() != good_files.good_model():
        raise WrongResult("the resumed fit differs from the uninterrupted one")


def _make_part(dice: Dice) -> Files:
    part, history = good_files.good_part()
    if dice.rng.random() < 0.7:
        part = CHECKSUMMED["part"](part, dice.rng)
    else:
        history = CHECKSUMMED["history"](history, dice.rng)
    return {"input.miner.part": part, "input.miner.part.history.json": history}


def _make_cloud(dice: Dice) -> Files:
    suffix, content = cloud_inputs.make_cloud(dice)
    return {f"input{suffix}": content}


def _make_picture(dice: Dice) -> Files:
    suffix = dice.any((".bmp", ".tif", ".jpg", ".webp"))
    return {f"input{suffix}": picture_inputs.make_picture(dice, suffix)}


def _read_config(path: Path) -> None:
    from eval.benchmark import BatchRun
    from eval.runs import load_config
    from pipelines.config import ShapeRun

    run: Any = BatchRun if path.stem == "batch" else ShapeRun
    load_config(path, run)


def _make_config(dice: Dice) -> Files:
    name, good = dice.any(
        (
            ("shape", b"shape: lucy\nfill: 0.9\npreset: surface\nfit: {steps: 7}\nmemory: 1GB\n"),
            ("batch", b"title: A\nshapes: [cup]\nmethods:\n  - miner\n  - {method: poisson}\n"),
        )
    )
    return {f"{name}.yaml": CHECKSUMMED["yaml"](good, dice.rng)}


def _read_records(path: Path) -> None:
    from eval.runs import read_records

    if not all(isinstance(record, dict) for record in read_records(path)):
        raise WrongResult("a record is no mapping")


def _unpack(path: Path) -> None:
    from eval.shapes import unpack_mesh

    outside = {entry.name for entry in path.parent.parent.iterdir()}
    unpack_mesh(path, path.with_name("unpacked.ply"), limit=1 << 20)
    if path.with_name("unpacked.ply").stat().st_size > 1 << 20:
        raise WrongResult("more was unpacked than the limit allows")
    if {entry.name for entry in path.parent.parent.iterdir()} != outside:
        raise WrongResult("a file was unpacked outside the folder")


KINDS: dict[str, Kind] = {
    "ply": Kind(_one_file(".ply", make_ply), _read_mesh),
    "obj": Kind(_one_file(".obj", make_obj), _read_mesh),
    "stl": Kind(_one_file(".stl", make_stl), _read_mesh),
    "off": Kind(_one_file(".off", make_off), _read_mesh),
    "gltf": Kind(make_gltf, _read_mesh),
    "glb": Kind(make_glb, _read_mesh),
    "miner": Kind(_mutated("miner", ".miner", good_files.good_model), _read_model),
    "cosine": Kind(_mutated("cosine", ".miner", good_files.good_cosines), _read_model),
    "part": Kind(_make_part, _go_on_with_fit, share=0.1),
    "npy": Kind(_one_file(".npy", cloud_inputs.make_npy), _read_array),
    "checkpoint": Kind(
        _mutated("checkpoint", ".checkpoint", good_files.good_checkpoint),
        good_files.train_a_step,
        share=0.05,
    ),
    "records": Kind(_mutated("records", ".jsonl", good_files.good_records), _read_records),
    "yaml": Kind(_make_config, _read_config),
    "png": Kind(_one_file(".png", picture_inputs.make_png), _read_picture),
    "picture": Kind(_make_picture, _read_picture),
    "cloud": Kind(_make_cloud, _read_cloud),
    "archive": Kind(_one_file(".download", cloud_inputs.make_archive), _unpack),
    "command": Kind(commands.make_command, commands.run_command_line, share=0.1),
}
