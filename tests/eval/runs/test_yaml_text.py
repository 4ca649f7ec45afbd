"""YAML files: plain values, and one sentence with the line for everything else."""

import random
import re
from pathlib import Path

import pytest
import yaml

from eval.runs.yaml_text import parse_yaml
from geom_miner.errors import SettingsError
from pipelines.campaigns.mutations import mutate_yaml

BOMB = "a: &a [x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefg", "bcdefgh", strict=True)
)


@pytest.mark.parametrize("path", sorted(Path("configs").rglob("*.yaml")), ids=str)
def test_our_configurations_are_read_as_before(path: Path) -> None:
    assert parse_yaml(path.read_bytes()) == yaml.safe_load(path.read_text())


def test_values_are_plain_and_aliases_and_merges_hold() -> None:
    text = b"""
a: &a {x: 1, y: [2.5, null, yes, 0x10, text, "7"]}
b: {<<: *a, x: 3}
c: {<<: [*a, {x: 9, z: 8}]}
day: 2024-13-45
on: off
"""
    y = [2.5, None, True, 16, "text", "7"]
    assert parse_yaml(text) == {
        "a": {"x": 1, "y": y},
        "b": {"x": 3, "y": y},
        "c": {"x": 1, "y": y, "z": 8},
        "day": "2024-13-45",
        "on": False,
    }


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3: 'a' is there twice; keep one"),
        ("a: 1\nb: [[" + "[" * 5000, "line 2: values are nested more than 32 deep"),
        ("a: &a\n  <<: *a\n", "line 2: *a stands within what it refers to"),
        ("a: &a [1, *a]\n", "line 1: *a stands within what it refers to"),
        ("a: 1\nb: *c\n", "line 2: there is no anchor &c before *c"),
        (BOMB, "line 5: there are more than 20,000 values, aliases written out"),
        ("a: 1\n<<: 3\n", "line 1: << takes a mapping, or a list of mappings"),
        ("a: 1\nb: !!python/object:x {}\n", "line 2: tag:yaml.org,2002:python/object:x is no"),
        ("a: 1\nb: !!int x\n", "line 2: 'x' is no int; quote it if it is a text"),
        ("a: " + "9" * 5000, "line 1: '" + "9" * 37 + "...' is no int"),
        ("a: 1\n--- \nb: 2\n", "line 2: a second document begins; keep one"),
        ("a: 1\nb: \x07\n", "line 2: '\\x07' is not allowed"),
        ("a: 1\n? [1]\n: 2\n", "line 2: a name must be a text, not a list or mapping"),
        ("a: [1\nb: 2\n", "line 2: "),
    ],
)
def test_everything_else_is_one_sentence_with_its_line(text: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_yaml(text.encode())
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_and_endless_files_are_refused() -> None:
    with pytest.raises(SettingsError, match="line 2: the text is not in UTF-8"):
        parse_yaml(b"a: 1\nb: \xff\n")
    with pytest.raises(SettingsError, match="larger than a configuration"):
        parse_yaml(b"#" * (1 << 21))


def test_mutations_end_in_values_or_in_one_sentence() -> None:
    good = Path("configs/eval/srb.yaml").read_bytes()
    sentences = []
    for seed in range(150):
        try:
            parse_yaml(mutate_yaml(good, random.Random(seed)))
        except SettingsError as error:
            sentences.append(str(error))
    assert len(sentences) > 50
    assert all(re.fullmatch(r"line \d+: .*", sentence) for sentence in sentences)
