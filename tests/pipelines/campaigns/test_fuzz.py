"""A short campaign of faulty inputs: every find of earlier ones, and some more of each kind."""

from __future__ import annotations

import random
import resource
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from geom_miner.errors import SettingsError
from pipelines.campaigns.dice import Dice
from pipelines.campaigns.finds import FINDS
from pipelines.campaigns.fuzz import FuzzConfig, KindResult, finds_of, fuzz_report
from pipelines.campaigns.fuzz_worker import MEMORY, try_input
from pipelines.campaigns.kinds import KINDS, make_input

# Inputs beyond the known finds; kinds whose reading takes long have fewer.
MORE = 20
# Training and whole commands take seconds each; they have tests of their own.
SHORT = [kind for kind in KINDS if kind not in ("checkpoint", "command")]


@contextmanager
def little_memory() -> Iterator[None]:
    """Let a request for more than 2 GiB fail, instead of taking the machine's memory."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.mark.parametrize("kind", SHORT)
def test_every_input_is_read_or_refused_in_one_sentence(kind: str, tmp_path: Path) -> None:
    known = len(FINDS.get(kind, ()))
    count = known + max(1, round(MORE * KINDS[kind].share))
    try_input(kind, known, tmp_path / "input")  # loads the libraries before memory is limited
    with little_memory():
        answers = {seed: try_input(kind, seed, tmp_path / "input") for seed in range(count)}
    faults = {
        f'make fuzz FUZZ="--kind {kind} --seed {seed}"': answer
        for seed, answer in answers.items()
        if answer["outcome"] not in ("accepted", "refused")
    }
    assert faults == {}


@pytest.mark.parametrize("kind", SHORT)
def test_equal_seeds_give_equal_inputs(kind: str) -> None:
    seed = len(FINDS.get(kind, ())) + 3
    assert make_input(kind, seed) == make_input(kind, seed)
    if kind != "records":
        assert len({repr(make_input(kind, seed + k)) for k in range(5)}) > 1


@pytest.mark.parametrize("kind", ["ply", "obj", "stl", "off", "gltf", "glb", "png", "picture"])
def test_an_input_without_faults_is_accepted(kind: str, tmp_path: Path) -> None:
    for number in range(4):
        files = KINDS[kind].make(Dice(random.Random(number)))
        for name, content in files.items():
            (tmp_path / name).write_bytes(content)
        KINDS[kind].read(tmp_path / next(iter(files)))


def test_the_report_groups_faults_and_says_how_to_repeat_them() -> None:
    fault = {"kind": "ply", "outcome": "raw", "error": "KeyError", "where": "a.py:1 f"}
    faults = [{**fault, "seed": seed, "message": "<b>|"} for seed in (7, 9)]
    result = KindResult("ply", Counter(accepted=5, refused=3, raw=2), faults)
    (find,) = finds_of([result])
    assert find.seeds == (7, 9)
    report = fuzz_report([result])
    assert "| ply | 10 | 5 | 3 | 2 | 0 | 0 | 0 | 0 | 0 |" in report
    assert 'make fuzz FUZZ="--kind ply --seed 7"' in report
    assert r"&lt;b>\|" in report
    assert "Finds" not in fuzz_report([KindResult("ply", Counter(accepted=5), [])])


def test_settings_are_checked() -> None:
    with pytest.raises(SettingsError, match="kind must be all or one of ply, obj"):
        FuzzConfig(kind="pdf")
    with pytest.raises(SettingsError, match="a seed belongs to a kind"):
        FuzzConfig(seed=3)
