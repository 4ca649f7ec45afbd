"""The command: a run and its report in one go, and one sentence for what is wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from eval.__main__ import main
from eval.pictures import comparison
from eval.report import html
from geom_miner import write_mesh
from tests.shapes import box


def test_a_run_in_which_all_fails_still_has_its_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("embreex")
    monkeypatch.setattr(comparison, "HEIGHT", 32)
    write_mesh(tmp_path / "cube.ply", box())
    config = tmp_path / "run.yaml"
    config.write_text(
        f"shapes: ['{tmp_path / 'cube.ply'}']\n"
        "methods: [{method: 'tests.eval.benchmark.fake_methods:RAISES', label: Raises}]\n"
        f"output: '{tmp_path / 'run'}'\n"
    )
    assert main(["batch", str(config)]) == 0
    told = capsys.readouterr().err
    assert "cube: Raises: FAILED, Raises failed: the normals are missing; estimate them." in told
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names >= {"index.html", "report.md", "results.csv", "records.jsonl", "manifest.json"}
    for name in ("index.html", "report.md", "results.csv"):
        text = (tmp_path / "run" / name).read_text()
        assert "the normals are missing; estimate them." in text
        assert str(tmp_path) not in text
    assert "data:image/webp;base64," in (tmp_path / "run" / "index.html").read_text()


def test_what_is_wrong_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "run.yaml"
    config.write_text("shapes: [lucy]\nmethods: [poison]\n")
    assert main(["batch", str(config), "-o", str(tmp_path / "run")]) == 1
    assert "error: method must be one of" in capsys.readouterr().err
    assert main(["batch", str(tmp_path / "none.yaml")]) == 1
    assert "check the path" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_without_jinja_there_is_no_page_but_all_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    html._environment.cache_clear()
    write_mesh(tmp_path / "cube.ply", box())
    config = tmp_path / "run.yaml"
    config.write_text(
        f"shapes: ['{tmp_path / 'cube.ply'}']\n"
        "methods: ['tests.eval.benchmark.fake_methods:RAISES']\n"
        f"output: '{tmp_path / 'run'}'\n"
    )
    assert main(["batch", str(config)]) == 0
    html._environment.cache_clear()
    printed = capsys.readouterr().err
    assert "no page: HTML needs Jinja" in printed
    assert "geom_miner[eval]" in printed
    assert "report.md, results.csv, records.jsonl" in printed
    assert not (tmp_path / "run" / "index.html").exists()
    assert (tmp_path / "run" / "report.md").is_file()
