"""Ways of decoding: what lies between the samples, by hand, and the study on a ball."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console

from eval.runs import load_config
from geom_miner import (
    Representation,
    VoxelizeSettings,
    fit_signal,
    mesh_target,
    preset,
    write_mesh,
)
from geom_miner.grid import upsample
from geom_miner.kernels import reference
from geom_miner.model import local_coordinates
from pipelines.studies.decoders import (
    BETWEEN,
    DECODERS,
    EXACT,
    EXACT_FINER,
    SAMPLES,
    SHARPENED,
    DecodersConfig,
    between_samples,
    report,
)
from tests.shapes import sphere

QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def model() -> Representation:
    settings = replace(
        preset("surface").settings, scales=2, block_size=8, steps=20, coarse_steps=20
    )
    mesh, voxels = sphere(1.0, subdivisions=3), VoxelizeSettings(24)
    target = mesh_target(mesh, "distance", voxels, scales=2, block_size=8).target
    return fit_signal(target, settings)


def test_mlps_are_asked_at_a_quarter_of_a_sample_beside_theirs(model: Representation) -> None:
    finest = model.scales[-1]
    block = int(finest.fitted_ids[0])
    rows = finest.layout.coordinates_of(finest.fitted_ids[:1])[0]
    bare = replace(finest, fitted=torch.zeros_like(finest.fitted), parameters=finest.parameters[:0])
    predicted = upsample(replace(model, scales=(*model.scales[:-1], bare)).decode(0))
    # 16 samples a side in the block of 8, in the block's own coordinates, in one go.
    own = reference.evaluate(
        finest.architecture, finest.parameters[:1], local_coordinates((16, 16, 16), "cpu")
    ).reshape(16, 16, 16, 1)
    first = tuple((16 * rows).tolist())
    stop = tuple((16 * rows + 16).tolist())
    expected = predicted.read_region(first, stop) + own
    found = between_samples(model).read_region(first, stop)
    assert block in finest.fitted_ids
    assert torch.allclose(found, expected, atol=1e-5)


def test_without_mlps_there_is_only_interpolation(model: Representation) -> None:
    bare = tuple(
        replace(level, fitted=torch.zeros_like(level.fitted), parameters=level.parameters[:0])
        for level in model.scales
    )
    empty = replace(model, scales=bare)
    found, expected = between_samples(empty), upsample(empty.decode(0))
    assert torch.equal(found.values, expected.values)
    assert torch.equal(found.ids, expected.ids)


def test_the_study_of_a_ball(tmp_path: Path) -> None:
    write_mesh(tmp_path / "ball.ply", sphere(1.0, subdivisions=4))
    run = DecodersConfig(
        [str(tmp_path / "ball.ply")], resolution=32, points=2000, output=str(tmp_path / "run")
    )
    records = DECODERS.run(run, fresh=False, console=QUIET)
    found = {record["way"]: record for record in records}

    def error(way: str) -> float:
        return float(found[way]["surface_error_voxels"]["mean"])

    assert error(EXACT_FINER) < 0.5 * error(EXACT)
    assert error(SAMPLES) < 1.3 * error(EXACT)
    assert found[EXACT_FINER]["iou_offgrid_2x"] == 1.0
    assert found[SAMPLES]["iou_offgrid_4x"] > 0.97
    text = report(run, records)
    assert text == (tmp_path / "run/report.md").read_text(encoding="utf-8")
    assert text.count(f"| {BETWEEN} |") == 2
    # A ball has no sharp edge.
    assert error(SHARPENED) == error(SAMPLES)
    assert found[SAMPLES]["edge_error_voxels"] is None
    assert DECODERS.run(run, fresh=False, console=QUIET) == records


def test_the_shipped_configuration_is_sound() -> None:
    run = load_config(Path(__file__).parents[3] / "configs/decoders.yaml", DecodersConfig)
    assert len(run.shapes) >= 8
