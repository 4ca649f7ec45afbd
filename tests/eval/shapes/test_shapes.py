"""Which mesh a name means, and that nothing happens silently."""

from __future__ import annotations

import gzip
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from eval.shapes.catalog import CATALOG
from eval.shapes.download import DownloadError
from eval.shapes.find import STAND_INS, find_shape
from geom_miner import GeomMinerError, TriangleMesh, write_mesh

TETRAHEDRON = TriangleMesh(
    np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]),
    np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]]),
)
TWO_FACES = TriangleMesh(TETRAHEDRON.vertices, TETRAHEDRON.faces[:2])


@pytest.fixture(autouse=True)
def empty_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No data folders, an empty cache, small stand-ins, no address that leads anywhere."""
    monkeypatch.delenv("GEOM_MINER_DATA", raising=False)
    monkeypatch.delenv("GEOM_MINER_OFFLINE", raising=False)
    monkeypatch.setenv("GEOM_MINER_CACHE", str(tmp_path / "cache"))
    for name in STAND_INS:
        monkeypatch.setitem(STAND_INS, name, lambda: TETRAHEDRON)
    for name, scan in CATALOG.items():
        monkeypatch.setitem(CATALOG, name, replace(scan, address="http://127.0.0.1:9/nothing"))


@pytest.fixture
def thai(server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The server offers a packed file; the catalog expects just that one, of 4 faces."""
    write_mesh(tmp_path / "made.ply", TETRAHEDRON)
    packed = gzip.compress((tmp_path / "made.ply").read_bytes())
    server.files["thai.ply.gz"] = packed
    small = replace(CATALOG["thai"], address=server.url("thai.ply.gz"), vertices=4, faces=4)
    monkeypatch.setitem(CATALOG, "thai", small)
    return packed


def put(folder: Path, name: str, mesh: TriangleMesh = TETRAHEDRON) -> Path:
    folder.mkdir(exist_ok=True)
    write_mesh(folder / name, mesh)
    return folder / name


def test_path_comes_first(tmp_path: Path, console: Console, monkeypatch) -> None:
    monkeypatch.setenv("GEOM_MINER_DATA", str(put(tmp_path / "data", "lucy.ply").parent))
    path = put(tmp_path, "lucy.ply", TWO_FACES)
    shape = find_shape(str(path), console=console)
    assert (shape.name, shape.faces, shape.source) == ("lucy", 2, "lucy.ply")
    assert not shape.stand_in


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("lucy", "Lucy.PLY"),
        ("thai", "thai.ply"),
        ("thai", "xyzrgb_statuette.ply"),
        ("thai", "Thai_Statue.ply"),
        ("engine", "engine.ply"),
        ("LUCY", "lucy.ply"),
    ],
)
def test_alias_in_data_folder(
    name: str, file: str, tmp_path: Path, console: Console, monkeypatch
) -> None:
    put(tmp_path / "data", "other.ply")
    put(tmp_path / "data", "made.ply").rename(tmp_path / "data" / file)
    folders = os.pathsep.join([str(tmp_path / "nowhere"), str(tmp_path / "data")])
    monkeypatch.setenv("GEOM_MINER_DATA", folders)
    shape = find_shape(name, console=console)
    assert shape.name == name.lower()
    assert shape.source.startswith(file)
    assert "folder that does not exist" in console.file.getvalue()


def test_earlier_data_folder_wins(tmp_path: Path, console: Console, monkeypatch) -> None:
    first = put(tmp_path / "first", "lucy.ply", TWO_FACES).parent
    second = put(tmp_path / "second", "lucy.ply").parent
    monkeypatch.setenv("GEOM_MINER_DATA", f"{first}{os.pathsep}{second}")
    assert find_shape("lucy", console=console).faces == 2


def test_smaller_version_is_announced(tmp_path: Path, console: Console, monkeypatch) -> None:
    monkeypatch.setenv("GEOM_MINER_DATA", str(put(tmp_path / "data", "lucy.ply").parent))
    shape = find_shape("lucy", console=console)
    assert shape.source == "lucy.ply (a 4-face version, not the original 28,055,742)"
    assert shape.source in console.file.getvalue()
    assert str(tmp_path) not in shape.source


def test_any_mesh_in_a_data_folder_has_a_name(
    tmp_path: Path, console: Console, monkeypatch
) -> None:
    monkeypatch.setenv("GEOM_MINER_DATA", str(put(tmp_path / "data", "Bunny.ply").parent))
    assert find_shape("bunny", console=console).name == "Bunny"


def test_data_folder_wins_over_cache(tmp_path: Path, console: Console, monkeypatch) -> None:
    put(tmp_path / "cache", "lucy.ply")
    monkeypatch.setenv("GEOM_MINER_DATA", str(put(tmp_path / "data", "lucy.ply", TWO_FACES).parent))
    assert find_shape("lucy", console=console).faces == 2


def test_cache_wins_over_download(tmp_path: Path, server, thai, console: Console) -> None:
    put(tmp_path / "cache", "xyzrgb_statuette.ply")
    assert not find_shape("thai", console=console).stand_in
    assert server.requests == []


def test_download_prints_license_and_citation_and_fills_the_cache(
    tmp_path: Path, server, thai, console: Console
) -> None:
    shape = find_shape("thai", console=console)
    output = console.file.getvalue()
    assert (shape.faces, shape.stand_in, shape.source) == (4, False, "xyzrgb_statuette.ply")
    assert output.index(shape.license) < output.index(shape.citation)
    kept = sorted(p.name for p in (tmp_path / "cache").iterdir())
    assert kept == ["hashes.json", "xyzrgb_statuette.ply"]
    find_shape("thai", console=console)
    assert len(server.requests) == 1


def test_changed_cache_is_refused_with_the_remedy(tmp_path: Path, thai, console: Console) -> None:
    find_shape("thai", console=console)
    write_mesh(tmp_path / "cache" / "xyzrgb_statuette.ply", TWO_FACES)
    with pytest.raises(DownloadError, match=r"not the file .* delete"):
        find_shape("thai", console=console)


def test_another_file_at_the_address_is_not_taken(
    tmp_path: Path, server, thai, console: Console
) -> None:
    find_shape("thai", console=console)
    (tmp_path / "cache" / "xyzrgb_statuette.ply").unlink()
    moved = TriangleMesh(TETRAHEDRON.vertices * 2, TETRAHEDRON.faces)
    write_mesh(tmp_path / "made.ply", moved)
    server.files["thai.ply.gz"] = gzip.compress((tmp_path / "made.ply").read_bytes())
    assert find_shape("thai", console=console).stand_in
    assert "not the file that was first downloaded" in console.file.getvalue()
    assert [p.name for p in (tmp_path / "cache").iterdir()] == ["hashes.json"]


def test_unreadable_hashes_are_one_sentence(tmp_path: Path, thai, console: Console) -> None:
    find_shape("thai", console=console)
    (tmp_path / "cache" / "hashes.json").write_text(json.dumps([1]))
    with pytest.raises(DownloadError, match="delete it to start anew"):
        find_shape("thai", console=console)


@pytest.mark.parametrize("content", [b"not a mesh", b"<!DOCTYPE html><html></html>"])
def test_wrong_content_leads_to_the_stand_in(
    content: bytes, tmp_path: Path, server, thai, console: Console
) -> None:
    server.files["thai.ply.gz"] = content
    assert find_shape("thai", console=console).stand_in
    assert "No Thai statue: " in console.file.getvalue()
    assert list((tmp_path / "cache").iterdir()) == []


def test_wrong_counts_lead_to_the_stand_in(tmp_path: Path, server, thai, console: Console) -> None:
    write_mesh(tmp_path / "made.ply", TWO_FACES)
    server.files["thai.ply.gz"] = gzip.compress((tmp_path / "made.ply").read_bytes())
    assert find_shape("thai", console=console).stand_in
    assert "expected 4 vertices and 4 faces, got 4 vertices, 2 faces" in console.file.getvalue()


def test_no_network_leads_to_the_stand_in_loudly(console: Console) -> None:
    shape = find_shape("lucy", console=console)
    assert (shape.stand_in, shape.name) == (True, "procedural-statue")
    output = console.file.getvalue()
    assert "No Lucy: no connection to 127.0.0.1:9" in output
    assert "Using procedural-statue" in output
    assert "GEOM_MINER_DATA" in output


@pytest.mark.parametrize("how", ["argument", "variable"])
def test_offline_asks_nobody(how: str, server, thai, console: Console, monkeypatch) -> None:
    if how == "variable":
        monkeypatch.setenv("GEOM_MINER_OFFLINE", "1")
    shape = find_shape("thai", offline=how == "argument", console=console)
    assert shape.stand_in
    assert server.requests == []
    assert "downloads are switched off" in console.file.getvalue()


def test_stand_in_never_bears_the_name_of_a_scan(console: Console) -> None:
    for scan in CATALOG.values():
        shape = find_shape(scan.name, offline=True, console=console)
        assert shape.name not in {alias for s in CATALOG.values() for alias in s.aliases}
        assert shape.name.startswith("procedural-")
        assert shape.citation == ""


def test_stand_in_by_its_own_name(console: Console) -> None:
    assert find_shape("procedural-engine", console=console).name == "procedural-engine"


@pytest.mark.parametrize("name", ["nothing", "missing.ply", "no/such/file"])
def test_unknown_name_is_one_sentence(name: str, console: Console) -> None:
    with pytest.raises(GeomMinerError, match=name):
        find_shape(name, console=console)
