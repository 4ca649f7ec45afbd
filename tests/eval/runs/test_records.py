"""Records of an interrupted run: what can be read is kept, and damage is said."""

import logging
import random
from pathlib import Path

import pytest

from eval.runs.records import read_records, write_records
from pipelines.campaigns.mutations import mutate_lines_of_json

RECORDS = [{"shape": "a", "x": 1.5}, {"shape": "b", "y": [1, 2]}, {"x": float("inf")}]


def test_records_are_read_as_they_were_written(tmp_path: Path) -> None:
    write_records(tmp_path / "r", RECORDS)
    assert read_records(tmp_path / "r") == RECORDS
    assert read_records(tmp_path / "absent") == []


def test_a_torn_last_line_is_no_news_and_another_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "r"
    path.write_bytes(b'{"a": 1}\n{"a": 2}\n{"a":')
    assert read_records(path) == [{"a": 1}, {"a": 2}]
    assert caplog.records == []
    bad = (b"\xff\xfe", b"[" * 100_000, b"[1]", b'{"a": ' + b"9" * 5000 + b"}")
    path.write_bytes(b'{"a": 1}\n' + b"\n".join(bad) + b'\n{"a": 2}\n')
    with caplog.at_level(logging.WARNING):
        assert read_records(path) == [{"a": 1}, {"a": 2}]
    lines = [2, 3, 4, 5]
    expected = [f"{path}: line {k} is damaged; what it held is measured anew" for k in lines]
    assert caplog.messages == expected


def test_mutations_never_stop_a_run(tmp_path: Path) -> None:
    write_records(tmp_path / "r", RECORDS[:2])
    good = (tmp_path / "r").read_bytes()
    for seed in range(200):
        (tmp_path / "r").write_bytes(mutate_lines_of_json(good, random.Random(seed)))
        assert all(isinstance(record, dict) for record in read_records(tmp_path / "r"))
