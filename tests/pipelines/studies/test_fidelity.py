"""The study of surfaces: floors, ratios, seams, and a run that goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from eval.runs import load_config
from geom_miner import read_mesh, write_mesh
from geom_miner.errors import SettingsError
from pipelines.studies.fidelity import FIDELITY, FidelityConfig, entries_of, report
from tests.shapes import sphere

QUIET = Console(quiet=True)
SMALL = {"scales": 2, "block_size": 8, "steps": 40, "coarse_steps": 20}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> FidelityConfig:
    folder = tmp_path_factory.mktemp("fidelity")
    write_mesh(folder / "ball.ply", sphere(1.0, subdivisions=4))
    return FidelityConfig(
        shapes=[str(folder / "ball.ply")],
        entries={
            "binary": {"preset": "volume", **SMALL},
            "distance": {"preset": "surface", **SMALL},
            "sharp": {"preset": "surface", "sharp": True, **SMALL},
            "covered": {"preset": "surface", "target": "coverage", **SMALL},
        },
        against="binary",
        drawn=["binary", "distance"],
        resolution=24,
        points=3000,
        output=str(folder / "run"),
    )


def test_rows_are_measured_once_and_beside_their_floors(run: FidelityConfig) -> None:
    records = {r["row"]: r for r in FIDELITY.run(run, fresh=False, console=QUIET)}
    assert list(records) == [
        *("occupancy itself", "coverage itself", "distance itself"),
        *("binary", "distance", "sharp", "covered"),
    ]
    error = {row: r["surface_error_voxels"]["mean"] for row, r in records.items()}
    # What is known of the targets: the better a target, the nearer its own surface.
    assert error["distance itself"] < error["coverage itself"] < error["occupancy itself"]
    assert error["distance itself"] < error["distance"] < error["binary"]
    # A ball has no sharp edge.
    assert error["sharp"] == error["distance"]
    assert records["occupancy itself"]["iou"] == 1.0
    assert "seconds" not in records["distance itself"]
    assert records["distance"]["parameters"] > 0 < records["distance"]["file_bytes"]

    book = Path(run.output) / "records.jsonl"
    assert (Path(run.output) / "ball.png").stat().st_size > 10_000
    assert read_mesh(Path(run.output) / "ball" / "distance.ply").faces.shape[1] == 3
    before = book.read_text()
    FIDELITY.run(run, fresh=False, console=QUIET)
    assert book.read_text() == before
    text = (Path(run.output) / "report.md").read_text()
    floor = next(line for line in text.splitlines() if line.startswith("| distance itself"))
    assert floor.split("|")[2:5] == [" 1.00 ", " 1.00 ", " 1.00 "]
    assert text == report(run, list(records.values()))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"entries": {"binary": 3}}, "entries must map"),
        ({"entries": {"binary": {"stepz": 3}}}, "stepz"),
        ({"entries": {"binary": {"preset": "nothing"}}}, "preset must be"),
        ({"entries": {"binary": {"preset": "volume", "sharp": True}}}, "sharp must be"),
        ({"entries": {"binary": {"sharp": 3}}}, "sharp must be"),
        ({"against": "other"}, "against"),
        ({"drawn": ["other"]}, "drawn"),
    ],
)
def test_wrong_rows_are_named(run: FidelityConfig, changes: dict, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        FIDELITY.run(replace(run, **changes), fresh=False, console=QUIET)


@pytest.mark.parametrize("name", ["fidelity", "fidelity_512", "fidelity_settings"])
def test_the_shipped_configurations_are_sound(name: str) -> None:
    run = load_config(Path(__file__).parents[3] / "configs" / f"{name}.yaml", FidelityConfig)
    assert run.against in entries_of(run)
    assert len(run.shapes) >= 8
