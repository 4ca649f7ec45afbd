"""Screened Poisson in its own process: an accurate sphere, and one message for each failure."""

from __future__ import annotations

import importlib.util
import math

import numpy as np
import pytest

from eval.clouds.point_cloud import PointCloud
from eval.errors import MethodError
from eval.methods import Budget, Options, Reconstruction, find_method
from eval.methods import poisson as module
from eval.methods.poisson import POISSON
from geom_miner import TriangleMesh, VoxelizeSettings, diagnose
from tests.eval.isolation import misbehaving
from tests.eval.methods.clouds import sphere_cloud
from tests.shapes import sphere

# Open3D is only looked up here, not loaded: it brings its own threads.
needs_open3d = pytest.mark.skipif(
    importlib.util.find_spec("open3d") is None, reason="Open3D is not installed"
)

CENTER = (10.0, -20.0, 30.0)
SMALL = Options(resolution=64)
FLAT_CLOUD = PointCloud([[0.0, 0], [1, 0]], [[1.0, 0], [1, 0]])


def mesh_of(result: Reconstruction) -> TriangleMesh:
    assert isinstance(result.surface, TriangleMesh)
    return result.surface


@pytest.fixture(scope="module")
def ball() -> Reconstruction:
    cloud = sphere_cloud(4000, radius=2.0, center=CENTER)
    assert cloud.normals is not None
    # Duplicate points, as in merged scans, and normals of other lengths.
    merged = PointCloud(
        np.concatenate([cloud.points, cloud.points[:100]]),
        np.concatenate([3 * cloud.normals, cloud.normals[:100]]),
    )
    return POISSON.reconstruct(merged, Options(resolution=64))


@needs_open3d
def test_a_sphere_comes_back_closed_and_in_position(ball: Reconstruction) -> None:
    mesh = mesh_of(ball)
    voxel = 4.0 / (0.98 * 64)
    radii = np.linalg.norm(mesh.vertices - CENTER, axis=1)
    assert np.abs(radii - 2).max() < 0.3 * voxel
    assert np.abs(radii - 2).mean() < 0.05 * voxel
    assert diagnose(mesh).watertight
    assert mesh.volume == pytest.approx(4 / 3 * np.pi * 8, rel=0.01)


@needs_open3d
def test_far_from_the_origin_the_surface_is_the_same() -> None:
    """Open3D computes in float32, whose step is 0.5 at the coordinates of a map projection."""
    cloud, place = sphere_cloud(4000, radius=2.0), np.array([448262.0, 5412345.0, 312.0])
    near, far = (
        mesh_of(POISSON.reconstruct(PointCloud(cloud.points + shift, cloud.normals), SMALL))
        for shift in (0.0, place)
    )
    assert far.faces.shape == near.faces.shape
    # Adding the place rounds the points to 1e-9; the solver rounds to 1e-7.
    assert np.abs(far.vertices - place - near.vertices).max() < 1e-5


@needs_open3d
def test_it_reports_its_cost(ball: Reconstruction) -> None:
    assert ball.parameters is None
    assert ball.steps is None
    mesh = mesh_of(ball)
    # Binary PLY: three floats a vertex, three indices and their number a face, and a header.
    body = 12 * len(mesh.vertices) + 13 * len(mesh.faces)
    assert body < ball.bytes < body + 1000
    assert 50e6 < ball.peak_rss_bytes < 1e9
    assert ball.timings.fit > 0
    assert ball.timings.prepare > 0
    assert "Open3D" in ball.notes[0]
    assert "depth 7 in a cube of 2.041 times" in ball.notes[0]
    assert "100 duplicate points were left out." in ball.notes


@needs_open3d
def test_an_open_scan_is_trimmed() -> None:
    cloud = sphere_cloud(6000)
    assert cloud.normals is not None
    lower = cloud.points[:, 2] < 0
    half = PointCloud(cloud.points[lower], cloud.normals[lower])
    reports: list[tuple[float, str]] = []
    options = Options("trimmed", resolution=64, progress=lambda *report: reports.append(report))
    trimmed = POISSON.reconstruct(half, options)
    mesh = mesh_of(trimmed)
    assert not diagnose(mesh).closed
    assert len(np.unique(mesh.faces)) == len(mesh.vertices)
    assert "5% of the vertices were cut off; the surface is open." in trimmed.notes
    assert reports == [(0.1, "loading Open3D"), (0.2, "solving")]
    closed = POISSON.reconstruct(half, Options("compact", resolution=64))
    # The surface that Poisson made up over the open half is removed first.
    assert np.abs(np.linalg.norm(mesh.vertices, axis=1) - 1).max() < 0.3
    assert diagnose(mesh_of(closed)).closed
    assert mesh_of(closed).vertices[:, 2].max() > mesh.vertices[:, 2].max() + 0.05


@pytest.mark.parametrize("resolution", [50, 64, 100, 256, 1000, 3799])
def test_a_cell_is_a_voxel(resolution: int) -> None:
    depth, scale = module._octree(resolution, nominal=False)
    voxel = 1 / (VoxelizeSettings(resolution).fill * resolution)
    assert scale / 2**depth == pytest.approx(voxel, rel=1e-12)
    assert 1.1 <= scale < 2.2


@pytest.mark.parametrize(("resolution", "depth"), [(64, 6), (256, 8), (300, 8), (400, 9)])
def test_the_papers_octree_is_the_nearest_power_of_two(resolution: int, depth: int) -> None:
    assert module._octree(resolution, nominal=True) == (depth, 1.1)
    assert depth == round(math.log2(resolution))


@pytest.mark.parametrize(
    ("cloud", "options", "message"),
    [
        (PointCloud(sphere_cloud(50).points), Options(), "needs a normal for every point"),
        (
            FLAT_CLOUD,
            Options(),
            "in 3 dimensions, got a source of 2; use igr or phase",
        ),
        (PointCloud([[0.0, 0, 0]], [[1.0, 0, 0]]), Options(), "an extent, got one point"),
        (sphere(), Options(), "takes oriented points, got a mesh"),
        (sphere_cloud(50), Options("best"), "one of compact, trimmed, paper, got 'best'"),
        (sphere_cloud(50), Options(resolution=4000), "up to depth 12"),
    ],
)
def test_impossible_requests_are_refused_at_once(
    cloud: PointCloud, options: Options, message: str
) -> None:
    with pytest.raises(MethodError, match=message):
        POISSON.reconstruct(cloud, options)


def test_a_crash_and_a_hang_are_errors_like_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "solve", misbehaving.abort)
    with pytest.raises(MethodError, match=r"^Screened Poisson crashed \(SIGABRT\); its last words"):
        POISSON.reconstruct(sphere_cloud(50), Options())
    monkeypatch.setattr(module, "solve", misbehaving.hangs)
    with pytest.raises(MethodError, match=r"^Screened Poisson took longer than 2 seconds"):
        POISSON.reconstruct(sphere_cloud(50), Options(budget=Budget(seconds=2)))


def test_it_is_found_by_name() -> None:
    assert find_method("poisson") is POISSON
    assert set(POISSON.presets) == {"compact", "trimmed", "paper"}
