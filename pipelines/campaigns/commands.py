"""Command lines with unusual options and inputs, run in this process."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

from geom_miner.errors import GeomMinerError
from pipelines.campaigns import good_files
from pipelines.campaigns.cloud_inputs import make_npy
from pipelines.campaigns.dice import Dice
from pipelines.campaigns.mutations import mutate_model
from pipelines.campaigns.picture_inputs import make_png
from pipelines.campaigns.ply_inputs import make_ply

_REALS = ("0.5", "0", "-1", "1e-9", "1e-320", "1e308", "nan", "inf", "-inf", "x", "", "9" * 400)
_WHOLES = ("2", "1", "0", "-1", "16", "1024", "100000", "1000000000", str(1 << 63), "9" * 40, "x")
_AMOUNTS = ("1MB", "0", "-1GB", "9e99", "nanGB", "infB", "1", "x", "", "1e30TB", "1B")
_LEVELS = ("all", "0", "1", "1,0", "9", "-1", "0,,1", "x", "", "0-1", "1e3", "9" * 40)
_REGIONS = (":,:,:", "1:2,3,:", "0:0,:,:", "5:2,:,:", "-1,:,:", ":", "a,:,:", "9:999,:,:", "", ",,")
_WORDS = ("auto", "cpu", "reference", "x", "[/red]", "\x1b[31m", "é")
_OUTPUTS = (
    "out.npy",
    "out.ply",
    "out",
    "out.png",
    "out.miner",
    "missing/out.npy",
    ".",
    "",
    "[b].npy",
)

# By command: files to give, and options with values.
_VOXELS = {"--resolution": ("8", *_WHOLES), "--fill": _REALS, "--inside": ("parity", "auto", "x")}
_FIT = {
    **_VOXELS,
    **{"--scales": _WHOLES, "--block-size": _WHOLES, "--width": _WHOLES, "--depth": _WHOLES},
    **{"--omega": _REALS, "--init-gain": _REALS, "--rate": _REALS, "--memory": _AMOUNTS},
    **{"--target": ("occupancy", "coverage", "distance", "x"), "--preset": ("volume", "x")},
    **{"--device": _WORDS, "--backend": _WORDS, "--block-tolerance": _REALS},
}
_OPTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "voxelize": _VOXELS,
    "fit": _FIT,
    "info": {"--json": ()},
    "decode": {"--lod": _WHOLES, "--region": _REGIONS, "--dtype": ("uint8", "x")},
    "extract": {
        "--lod": _LEVELS,
        "--iso-level": _REALS,
        "--format": ("obj", "x", "../x"),
        "--sharp": (),
    },
    "query": {"--lod": _WHOLES, "--device": _WORDS},
    "compare": {"--samples": _WHOLES, "--fscore-threshold": _REALS, "--iou-mesh": _WHOLES},
}
# A fit of a few blocks: options given later win.
_SMALL = ["--steps", "2", "--coarse-steps", "2", "--width", "4", "--depth", "1", "--scales", "2"]
_SMALL += ["--resolution", "16", "--block-size", "8", "--backend", "reference"]


class RefusedCommand(GeomMinerError):
    """A command that ended with one sentence."""


class UnexpectedEnd(AssertionError):
    """A command that ended without one sentence, or with a status of its own."""


def make_command(dice: Dice) -> dict[str, bytes]:
    """A command line as JSON, and the files that it names."""
    name = dice.any(tuple(_OPTIONS))
    files = {
        "mesh.ply": make_ply(dice) if dice.odd(2) else _good_ply(),
        "photo.png": make_png(dice),
        "a.miner": dice.any((good_files.good_volume, good_files.good_model))(),
        "points.npy": make_npy(dice),
    }
    if dice.odd(5):
        files["a.miner"] = mutate_model(files["a.miner"], dice.rng)
    meshes, models = ("mesh.ply", "photo.png"), ("a.miner", "mesh.ply")
    source = dice.any(meshes) if name in ("fit", "voxelize", "compare") else dice.one(*models)
    words = [name, dice.one(source, "missing.ply", "", ".", "a.miner")]
    words += ["points.npy"] if name == "query" else []
    words += ["mesh.ply", "--samples", "100", "--iou-mesh", "8"] if name == "compare" else []
    if name not in ("info", "compare"):
        words += ["-o", dice.one(dice.any(_OUTPUTS[:4]), *_OUTPUTS)]
    words += _SMALL if name == "fit" else []
    options = _OPTIONS[name]
    for option in dice.rng.sample(sorted(options), dice.rng.randrange(min(3, len(options)) + 1)):
        words += [option, dice.any(options[option])] if options[option] else [option]
    if dice.odd():
        words.insert(dice.rng.randrange(len(words)), dice.any(("--help", "--", "-o", "\ud800")))
    return {"command.json": json.dumps(words).encode(), **files}


def run_command_line(path: Path) -> None:
    """Run the words in the folder of their files.

    Raises
    ------
    RefusedCommand
        The command ended with one sentence and status 1, or explained its options.
    UnexpectedEnd
        It ended in any other way but status 0.
    """
    from geom_miner.__main__ import main

    out, err = io.StringIO(), io.StringIO()
    words = json.loads(path.read_text())
    with (
        contextlib.chdir(path.parent),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            status = main(words)
        except SystemExit as stop:
            status = stop.code if isinstance(stop.code, int) else 2
    lines = err.getvalue().splitlines()
    if "Traceback" in err.getvalue():
        raise UnexpectedEnd("a traceback is on the error stream")
    if status == 2:
        raise RefusedCommand("the options are explained")
    if status == 1 and lines and lines[-1].startswith("error: "):
        raise RefusedCommand(lines[-1])
    if status != 0:
        raise UnexpectedEnd(f"status {status}, and no sentence at the end: {lines[-1:]}")


def _good_ply() -> bytes:
    mesh = good_files.sphere()
    head = ["ply", "format ascii 1.0", f"element vertex {len(mesh.vertices)}"]
    head += [f"property float {axis}" for axis in "xyz"]
    head += [f"element face {len(mesh.faces)}", "property list uchar int vertex_indices"]
    rows = [" ".join(map(str, vertex)) for vertex in mesh.vertices.tolist()]
    rows += [f"3 {a} {b} {c}" for a, b, c in mesh.faces.tolist()]
    return "\n".join([*head, "end_header", *rows, ""]).encode()
