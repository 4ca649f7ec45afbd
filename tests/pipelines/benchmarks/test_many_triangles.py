"""Many triangles, and what Open3D says of their voxels, at toy size."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from eval.isolation import in_own_process
from geom_miner import read_mesh, write_mesh
from pipelines.benchmarks.many_triangles import ask_open3d, measure_triangles, write_subdivided
from tests.shapes import sphere

needs_open3d = pytest.mark.skipif(
    importlib.util.find_spec("open3d") is None, reason="Open3D is not installed"
)


@pytest.fixture
def ball(tmp_path: Path) -> Path:
    path = tmp_path / "ball.ply"
    write_mesh(path, sphere(3.0, (1.0, 2.0, 3.0)))
    return path


@pytest.mark.parametrize("times", [1, 2])
def test_cutting_triangles_keeps_the_shape_and_its_closedness(ball: Path, times: int) -> None:
    cut = ball.with_name("cut.ply")
    write_subdivided(str(ball), times, cut)
    before, after = read_mesh(ball), read_mesh(cut)
    assert len(after.faces) == 4**times * len(before.faces)
    # Euler: a closed sphere has two more vertices than half its faces.
    assert len(after.vertices) == len(after.faces) // 2 + 2
    # PLY keeps float32.
    assert after.volume == pytest.approx(before.volume, rel=1e-5)
    assert after.area == pytest.approx(before.area, rel=1e-5)


@needs_open3d
@pytest.mark.parametrize(("samples", "asked"), [(32**3, 32**3), (8000, 8000)])
def test_open3d_agrees_and_is_judged_where_it_does_not(
    ball: Path, samples: int, asked: int
) -> None:
    answers = ball.with_name("answers.npz")
    in_own_process(measure_triangles, ball, 32, "fast", samples, answers)
    found = in_own_process(ask_open3d, ball, answers, str(ball))
    assert found["samples"] == pytest.approx(asked, rel=0.01)
    assert found["differing"] == found["judged"] == 0
    assert (found["samples_near"] > 0) == (samples < 32**3)
    with np.load(answers) as saved:
        kept = dict(saved)
    kept["inside"][:3] ^= True
    np.savez(answers, **kept)
    wrong = in_own_process(ask_open3d, ball, answers, str(ball))
    assert wrong["differing"] == wrong["judged"] == 3
    assert wrong["ours_right"] == 0
    assert wrong["farthest_difference_voxels"] > 0
