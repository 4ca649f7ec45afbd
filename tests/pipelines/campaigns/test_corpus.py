"""Files are found once, read by every reader, and compared; an audit says what it looked up."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from geom_miner import write_mesh
from pipelines.campaigns.audit_report import Audit, AuditFailed
from pipelines.campaigns.corpus import CorpusConfig, mesh_files_below, report, verdict
from pipelines.campaigns.corpus_readers import measure
from tests.shapes import box


def test_every_file_is_found_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a" / "deep").mkdir(parents=True)
    write_mesh(tmp_path / "a" / "deep" / "box.ply", box())
    write_mesh(tmp_path / "a" / "box.obj", box())
    shutil.copy(tmp_path / "a" / "box.obj", tmp_path / "a" / "same.obj")
    (tmp_path / "a" / "empty.stl").write_bytes(b"")
    monkeypatch.setenv("GEOM_MINER_CORPUS", str(tmp_path / "none"))
    found = mesh_files_below(CorpusConfig([f"{tmp_path}/*", str(tmp_path / "none")]))
    assert list(found) == ["a/box.obj", "a/deep/box.ply"]


def test_area_and_volume_hold_far_from_the_origin() -> None:
    mesh = box()
    near = measure(mesh.vertices, mesh.faces)
    far = measure(mesh.vertices + 1e6, mesh.faces)
    assert math.isclose(near["area"], far["area"], rel_tol=1e-9)
    assert math.isclose(near["volume"], far["volume"], rel_tol=1e-9)
    assert np.allclose(np.array(far["center"]) - near["center"], 1e6)


def test_verdicts_say_who_differs_in_what() -> None:
    cube = {"faces": 12, "area": 6.0, "volume": 1.0, "center": [0.5, 0.5, 0.5]}
    refused = {"refused": "damaged"}

    def of(ours: dict[str, object], other: dict[str, object]) -> str:
        return verdict({"file": "a.ply", "ours": ours, "trimesh": other}, "trimesh")

    assert of(cube, cube) == "equal"
    assert of(cube, {**cube, "area": 6.0001}) == "area 6 against 6.0001"
    assert of(cube, {**cube, "volume": -1.0}) == "volume 1 against -1"
    assert of(cube, {**cube, "center": [0.5, 0.5, 0.6]}) == "another place"
    assert of(cube, refused) == "it refuses"
    assert of(refused, cube) == "we refuse"
    assert of(refused, refused) == "both refuse"
    records = [
        {"file": "a.ply", "ours": cube, "trimesh": cube, "open3d": cube},
        {"file": "b.obj", "ours": refused, "trimesh": cube, "open3d": refused},
    ]
    text = report(CorpusConfig(), records)
    assert "| all | 2 | 1 | 2 | 1 | 1 of 1 | 1 of 1 | 1 |" in text
    assert "| b.obj | - | we refuse | both refuse | damaged |" in text


def test_an_audit_that_looked_nothing_up_does_not_pass(tmp_path: Path) -> None:
    path = tmp_path / "audit.json"
    with pytest.raises(AuditFailed, match="NOT looked up"):
        Audit.read(path).check()
    skipped = {"name": "a", "skip_reason": "not found"}
    path.write_text(json.dumps({"dependencies": [skipped]}))
    with pytest.raises(AuditFailed, match="NOT looked up"):
        Audit.read(path).check()
    good = {"name": "b", "version": "1", "vulns": []}
    path.write_text(json.dumps({"dependencies": [skipped, good]}))
    assert Audit.read(path).check() == (
        "1 of 2 requirements were looked up, no vulnerability is known. Not looked up: a."
    )
    bad = {"name": "c", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}]}
    path.write_text(json.dumps({"dependencies": [good, bad]}))
    with pytest.raises(AuditFailed, match="2 of 2 requirements were looked up, 1 vulner"):
        Audit.read(path).check()
    assert Audit.read(path).known == (("c 2", "CVE-1", "3"),)
