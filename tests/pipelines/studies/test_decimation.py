"""Levels of detail and decimated meshes: as many triangles, both directions, a run that goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from eval.runs import load_config
from geom_miner import TriangleMesh, write_mesh
from pipelines.studies.decimation import (
    DECIMATION,
    MINER,
    OF_FINEST,
    OF_SOURCE,
    SHARPENED,
    DecimationConfig,
    report,
)
from tests.shapes import sphere

QUIET = Console(quiet=True)


def study(folder: Path, mesh: TriangleMesh) -> DecimationConfig:
    write_mesh(folder / "ball.ply", mesh)
    return DecimationConfig(
        [str(folder / "ball.ply")], resolution=32, points=2000, output=str(folder / "run")
    )


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> DecimationConfig:
    return study(tmp_path_factory.mktemp("rivals"), sphere(1.0, subdivisions=5))


def test_decimated_meshes_have_as_many_triangles(closed: DecimationConfig) -> None:
    records = DECIMATION.run(closed, fresh=False, console=QUIET)
    by_scale = {s: {r["mesh"]: r for r in records if r["scale"] == s} for s in range(4)}
    assert set(by_scale[0]) == {MINER, SHARPENED, OF_SOURCE}
    for scale in (1, 2, 3):
        meshes = by_scale[scale]
        assert set(meshes) == {MINER, SHARPENED, OF_SOURCE, OF_FINEST}
        triangles = meshes[MINER]["triangles"]
        for other in (OF_SOURCE, OF_FINEST):
            assert triangles - 1 <= meshes[other]["triangles"] <= triangles
        assert meshes[OF_SOURCE]["to_source_voxels"] < meshes[MINER]["to_source_voxels"]
        assert by_scale[scale - 1][MINER]["triangles"] > triangles
    book = Path(closed.output) / "records.jsonl"
    before = book.read_text()
    assert DECIMATION.run(closed, fresh=False, console=QUIET) == records
    assert book.read_text() == before
    text = (Path(closed.output) / "report.md").read_text()
    assert text == report(closed, records)
    assert text.count(f"| {MINER} |") == 8


def test_an_open_source_is_not_decimated(tmp_path: Path) -> None:
    whole = sphere(1.0, subdivisions=4)
    records = DECIMATION.run(
        study(tmp_path, TriangleMesh(whole.vertices, whole.faces[1:])), fresh=True, console=QUIET
    )
    assert {r["mesh"] for r in records} == {MINER, SHARPENED, OF_FINEST}


def test_the_shipped_configuration_is_sound() -> None:
    path = Path(__file__).parents[3] / "configs" / "decimation.yaml"
    assert len(load_config(path, DecimationConfig).shapes) >= 8
