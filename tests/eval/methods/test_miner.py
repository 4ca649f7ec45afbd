"""MINER as one method among others: what it says is of its file, from whatever it starts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numba
import numpy as np
import pytest
import torch

from eval.clouds.point_cloud import PointCloud
from eval.errors import MethodError
from eval.methods import Budget, GridSignal, Options, Reconstruction, Source, find_method
from eval.methods.miner import MINER, _fit_preset, _within
from geom_miner import SampleGrid, TriangleMesh, diagnose, extract_level, load_model, preset
from geom_miner.grid import BlockGrid, SparseBlocks
from tests.eval.methods.clouds import plate_cloud, sphere_cloud
from tests.shapes import box, sphere, torus

CENTER = (3.0, -1.0, 2.0)
BALL = sphere(1.0, CENTER, 4)
RESOLUTION = 32
VOXEL = 2.0 / (0.98 * RESOLUTION)


def mesh_of(result: Reconstruction) -> TriangleMesh:
    assert isinstance(result.surface, TriangleMesh)
    return result.surface


def ball_grid(level: float = 0.5) -> GridSignal:
    """1 - distance from the center, so that ``level`` is the surface of a ball of 1 - level."""
    grid = SampleGrid((32,) * 3, (2 / 32,) * 3, (-1.0,) * 3)
    positions = grid.index_to_world(np.stack(np.indices(grid.shape), axis=-1))
    values = torch.from_numpy(1 - np.linalg.norm(positions, axis=-1)).float()[..., None]
    return GridSignal(SparseBlocks.from_dense(values, BlockGrid((2,) * 3, (16,) * 3)), grid, level)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for one another cost more than they bring to fits as small as these."""
    before = torch.get_num_threads(), numba.get_num_threads()
    torch.set_num_threads(1)
    numba.set_num_threads(1)
    yield
    torch.set_num_threads(before[0])
    numba.set_num_threads(before[1])


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("miner") / "model.miner"


@pytest.fixture(scope="module")
def reports() -> list[tuple[float, str]]:
    return []


@pytest.fixture(scope="module")
def ball(model_file: Path, reports: list[tuple[float, str]]) -> Reconstruction:
    """The ball of BALL, fitted to a file that is kept."""
    return MINER.reconstruct(
        BALL,
        Options(
            resolution=RESOLUTION,
            checkpoint=model_file,
            progress=lambda *report: reports.append(report),
        ),
    )


def check_ball(result: Reconstruction, off: float) -> None:
    """It is closed and in position, up to ``off`` voxels in the mean."""
    mesh = mesh_of(result)
    errors = np.abs(np.linalg.norm(mesh.vertices - CENTER, axis=1) - 1) / VOXEL
    assert errors.mean() < off
    assert diagnose(mesh).watertight
    assert mesh.volume == pytest.approx(4 / 3 * np.pi, rel=0.03)


def test_a_mesh_comes_back_closed_and_in_position(ball: Reconstruction) -> None:
    check_ball(ball, 0.03)
    assert ball.notes == (
        "Inside was decided by parity: the mesh is closed, and no solids in it overlap, so parity "
        "is right.",
    )


@pytest.mark.parametrize(("name", "off"), [("compact", 0.03), ("fast", 0.25)])
def test_points_come_back_closed_and_in_position(name: str, off: float) -> None:
    cloud = sphere_cloud(3000, center=CENTER)
    again = PointCloud(cloud.points.repeat(2, axis=0), np.repeat(cloud.normals, 2, axis=0))
    result = MINER.reconstruct(again, Options(name, resolution=RESOLUTION))
    check_ball(result, off)
    assert result.notes[0].startswith("The points are 0.97 voxels apart and scatter by 0.00 voxels")


def test_points_of_a_torus_give_its_genus() -> None:
    corners = torus().triangles
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    points = PointCloud(corners.mean(axis=1), normals)
    mesh = mesh_of(MINER.reconstruct(points, Options(resolution=RESOLUTION)))
    assert diagnose(mesh).watertight
    edges = 3 * len(mesh.faces) // 2
    assert len(mesh.vertices) - edges + len(mesh.faces) == 0


def test_the_level_of_a_grid_is_where_its_surface_is() -> None:
    mesh = mesh_of(MINER.reconstruct(ball_grid(0.3), Options()))
    radii = np.linalg.norm(mesh.vertices, axis=1)
    assert np.abs(radii - 0.7).mean() < 0.1 * 2 / 32


def test_all_figures_refer_to_the_file(
    ball: Reconstruction, model_file: Path, reports: list[tuple[float, str]]
) -> None:
    model = load_model(model_file)
    assert ball.bytes == model_file.stat().st_size
    assert ball.parameters == model.num_parameters
    assert 0 < ball.bytes - 4 * model.num_parameters < 20_000
    mesh = extract_level(model, 0)
    np.testing.assert_array_equal(mesh.vertices, mesh_of(ball).vertices)
    np.testing.assert_array_equal(mesh.faces, mesh_of(ball).faces)
    assert ball.steps == 800
    assert ball.peak_rss_bytes > 50e6
    assert min(ball.timings.prepare, ball.timings.fit, ball.timings.mesh) > 0
    shares = [share for share, _ in reports]
    assert shares == sorted(shares)
    assert 0 < shares[0] < 0.1
    assert shares[-1] == 1
    statuses = {status for _, status in reports}
    for stage in ("voxelizing", "measuring distances", "fitting scale 0", "meshing"):
        assert any(status.startswith(stage) for status in statuses), stage


def test_a_finished_fit_is_not_repeated(ball: Reconstruction, model_file: Path) -> None:
    before = model_file.stat().st_mtime_ns
    statuses: set[str] = set()
    options = Options(
        resolution=RESOLUTION,
        checkpoint=model_file,
        progress=lambda _, status: statuses.add(status),
    )
    again = MINER.reconstruct(BALL, options)
    np.testing.assert_array_equal(mesh_of(again).vertices, mesh_of(ball).vertices)
    assert again.steps == ball.steps
    assert model_file.stat().st_mtime_ns == before
    assert not [status for status in statuses if status.startswith("fitting")]


def test_an_interrupted_fit_continues(ball: Reconstruction, tmp_path: Path) -> None:
    path = tmp_path / "model.miner"

    def interrupt(share: float, status: str) -> None:
        if status == "fitting scale 1":
            raise KeyboardInterrupt

    options = Options(resolution=RESOLUTION, checkpoint=path)
    with pytest.raises(KeyboardInterrupt):
        MINER.reconstruct(BALL, replace(options, progress=interrupt))
    assert (tmp_path / "model.miner.part").exists()
    assert not path.exists()
    statuses: set[str] = set()
    resumed = MINER.reconstruct(
        BALL, replace(options, progress=lambda _, status: statuses.add(status))
    )
    assert "fitting scale 1" in statuses
    assert "fitting scale 3" not in statuses
    np.testing.assert_array_equal(mesh_of(resumed).vertices, mesh_of(ball).vertices)
    assert resumed.steps == ball.steps


@pytest.mark.parametrize("name", MINER.presets)
@pytest.mark.parametrize("steps", [4, 5, 61, 400, 100_000])
def test_steps_are_shared_among_the_scales(name: str, steps: int) -> None:
    whole = preset(_fit_preset(BALL, Options(name))).settings
    part = _within(whole, steps)
    total = part.steps + (part.scales - 1) * part.coarse_steps
    assert total <= steps
    if steps == 100_000:
        assert part == whole
    else:
        assert total > 0.9 * min(steps, whole.steps + 3 * whole.coarse_steps) - 4
        assert part.steps <= whole.steps
        assert part.coarse_steps <= whole.coarse_steps
    assert replace(part, steps=whole.steps, coarse_steps=whole.coarse_steps) == whole


def test_a_budget_of_steps_is_what_is_done_and_the_seed_decides() -> None:
    def reconstruct(seed: int) -> Reconstruction:
        return MINER.reconstruct(
            BALL, Options(resolution=RESOLUTION, seed=seed, budget=Budget(steps=100))
        )

    first, second = reconstruct(0), reconstruct(1)
    assert first.steps == second.steps == 100
    assert not np.array_equal(mesh_of(first).vertices, mesh_of(second).vertices)


def test_seconds_interrupt_the_fit_and_a_note_says_so() -> None:
    options = Options(resolution=RESOLUTION, budget=Budget(seconds=1e-3))
    result = MINER.reconstruct(BALL, options)
    # One round at each scale.
    assert result.notes[1:] == (
        "The budget of 0.001 seconds ended at scale 3; steps done: 20 at scale 3, 20 at scale 2, "
        "20 at scale 1, 20 at scale 0.",
    )
    assert result.steps == 80


def test_ample_seconds_change_nothing(ball: Reconstruction) -> None:
    options = Options(resolution=RESOLUTION, budget=Budget(seconds=1000))
    whole = MINER.reconstruct(BALL, options)
    assert whole.notes == ball.notes
    assert whole.steps == ball.steps
    np.testing.assert_array_equal(mesh_of(whole).vertices, mesh_of(ball).vertices)


def inward(cloud: PointCloud) -> PointCloud:
    assert cloud.normals is not None
    return PointCloud(cloud.points, -cloud.normals)


FLAT_CLOUD = PointCloud([[0.0, 0], [1, 0]], [[1.0, 0], [1, 0]])
PICTURE = GridSignal(
    SparseBlocks.from_dense(torch.rand(32, 32, 1), BlockGrid((2, 2), (16, 16))),
    SampleGrid((32, 32), (1.0, 1.0), (0.0, 0.0)),
)


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        (sphere(), Options("best"), "preset of miner must be one of compact, .*, got 'best'"),
        (PointCloud(sphere_cloud(50).points), Options(), "needs a normal for every point"),
        (
            FLAT_CLOUD,
            Options(),
            "in 3 dimensions, got a source of 2",
        ),
        (PointCloud(np.zeros((50, 3)), np.ones((50, 3))), Options(), "more than 16, got 1"),
        (inward(sphere_cloud(500)), Options(resolution=32), "normals point inward"),
        (plate_cloud(1e-3), Options(resolution=32), "enclose nothing"),
        (ball_grid(), Options("exact"), "not for the values of a grid"),
        (ball_grid(2.0), Options(budget=Budget(steps=4)), "no surface came out"),
        (PICTURE, Options(), "in 3 dimensions, got a source of 2"),
        (sphere(), Options(budget=Budget(steps=3)), "steps must be at least 4"),
    ],
)
def test_impossible_requests_are_refused(source: Source, options: Options, message: str) -> None:
    with pytest.raises(MethodError, match=message):
        MINER.reconstruct(source, options)


def test_it_is_found_by_name() -> None:
    assert find_method("miner") is MINER
    assert next(iter(MINER.presets)) == "compact"


def test_the_sharp_preset_puts_edges_back() -> None:
    source = box((0, 0, 0), (3, 4, 5))

    def volume(name: str) -> float:
        options = Options(name, resolution=RESOLUTION)
        return float(mesh_of(MINER.reconstruct(source, options)).volume)

    assert abs(volume("sharp") - 60) < abs(volume("compact") - 60) / 3
