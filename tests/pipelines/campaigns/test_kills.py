"""A short campaign of interruptions: one struck decoding, and what a report of many says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from geom_miner.errors import SettingsError
from pipelines.campaigns.conditions import Outcome
from pipelines.campaigns.kill_jobs import JOBS, contents
from pipelines.campaigns.kills import KillsConfig, kills_report
from pipelines.campaigns.strikes import Strike, Uninterrupted, _compare


def test_contents_tell_equal_bytes_and_every_file_that_is_left(tmp_path: Path) -> None:
    job = JOBS["decode"]
    (tmp_path / "samples.npy").write_bytes(b"1")
    whole = Uninterrupted(contents(tmp_path, job), 1.0)
    assert _compare(job, whole, 0, tmp_path) == []
    (tmp_path / ".samples.npy.1.part").write_bytes(b"")
    assert _compare(job, whole, 0, tmp_path) == ["left behind: .samples.npy.1.part"]
    os.replace(tmp_path / ".samples.npy.1.part", tmp_path / "samples.npy")
    assert _compare(job, whole, 0, tmp_path) == ["differs: samples.npy"]
    (tmp_path / "samples.npy").unlink()
    assert _compare(job, whole, 0, tmp_path) == ["missing: samples.npy"]


def test_a_lost_scale_is_a_fault(tmp_path: Path) -> None:
    job = JOBS["fit"]
    (tmp_path / "out.txt").write_text('{"resumed_scales": 1}')
    whole = Uninterrupted({}, 1.0)
    assert _compare(job, whole, 1, tmp_path) == []
    assert _compare(job, whole, 2, tmp_path) == ["2 scales were finished and 1 were taken over"]


def test_the_report_names_what_must_not_be() -> None:
    strikes = [
        Strike("fit", 0, (("SIGKILL", 0.5),), 2, ()),
        Strike("fit", 1, (("SIGINT", 0.1), ("SIGSTOP", 0.2)), 0, ("left behind: <a>",)),
    ]
    outcomes = [Outcome("standard output closed", "fit", 1, "error: a|b", ())]
    report = kills_report(strikes, outcomes)
    assert "| fit | 2 | 3 | 1 | 1 |" in report
    assert "| fit | 1 | SIGINT at 0.1 s, SIGSTOP at 0.2 s | left behind: &lt;a> |" in report
    assert r"| standard output closed | fit | 1 | error: a\|b |" in report


def test_settings_are_checked() -> None:
    with pytest.raises(SettingsError, match="jobs must be all or one of fit, extract"):
        KillsConfig(jobs="dance")
