"""IGR: its loss by hand, and small shapes from points alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from eval.clouds.point_cloud import PointCloud
from eval.errors import MethodError
from eval.methods import find_method, kind_of
from eval.methods import igr as igr_module
from eval.methods.igr import IGR, IGRObjective
from eval.methods.implicit.networks import ImplicitNetwork, NetworkSettings
from eval.methods.implicit.reconstruction import Preset
from eval.methods.implicit.sampling import Batch, SampleCounts
from eval.methods.implicit.training import Schedule
from eval.methods.protocol import Budget, Options
from geom_miner import GeomMinerError, diagnose
from tests import shapes

CENTER = np.array([10.0, -20.0, 30.0])


@pytest.fixture(autouse=True)
def tiny_preset(monkeypatch) -> None:
    tiny = Preset(
        "for tests",
        NetworkSettings(depth=2, width=48, skip=1),
        Schedule(steps=250, rate=5e-3, halve_every=50, floor=1e-5),
        SampleCounts(surface=128, anywhere=32, box=1.2),
    )
    monkeypatch.setitem(igr_module._PRESETS, "tiny", tiny)


def round_cloud(ndim: int, *, normals: bool, radius: float = 4.0) -> PointCloud:
    """Points of a circle or a sphere, far from the origin."""
    directions = np.random.default_rng(0).normal(size=(600, ndim))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    points = directions * radius + CENTER[:ndim]
    return PointCloud(points, directions if normals else None)


def tiny(**options) -> Options:
    return Options(**{"preset": "tiny", "resolution": 40, **options})


def test_loss_by_hand() -> None:
    generator = torch.Generator().manual_seed(0)
    network = ImplicitNetwork(3, NetworkSettings(depth=2, width=16, skip=1), generator).double()
    draw = lambda n: torch.randn(n, 3, generator=generator, dtype=torch.float64)  # noqa: E731
    batch = Batch(draw(5), torch.nn.functional.normalize(draw(5), dim=1), draw(5), draw(3))
    at = torch.cat([batch.surface, batch.near, batch.anywhere]).requires_grad_()
    values = network(at)
    (gradients,) = torch.autograd.grad(values.sum(), at)
    surface = sum(abs(value) for value in values[:5].tolist()) / 5
    eikonal = sum((np.linalg.norm(g) - 1) ** 2 for g in gradients[5:].numpy()) / 8
    facing = (gradients[:5] - batch.normals).numpy()
    normals = sum(np.linalg.norm(g) for g in facing) / 5
    loss = IGRObjective(eikonal=0.3, normals=2.0)(network, batch)
    assert loss.total.item() == pytest.approx(surface + 0.3 * eikonal + 2 * normals, rel=1e-6)
    bare = Batch(batch.surface, None, batch.near, batch.anywhere)
    loss = IGRObjective(eikonal=0.3)(network, bare)
    assert loss.total.item() == pytest.approx(surface + 0.3 * eikonal, rel=1e-6)
    assert set(loss.parts) == {"surface", "eikonal"}


@pytest.mark.parametrize("normals", [True, False])
def test_sphere_from_points(normals) -> None:
    cloud = round_cloud(3, normals=normals)
    found = IGR.reconstruct(cloud, tiny())
    radii = np.linalg.norm(found.surface.vertices - CENTER, axis=1)
    assert 3.8 < radii.min() < radii.max() < 4.2
    state = diagnose(found.surface)
    assert state.watertight
    assert state.components == 1
    assert state.volume == pytest.approx(4 / 3 * np.pi * 4**3, rel=0.05)
    assert found.notes == ()
    assert found.steps == 250
    # 3 inputs; hidden layers of 45 (3 fewer: the input joins) and 48; 1 output.
    assert found.parameters == 45 * 4 + 48 * 49 + 49
    assert found.bytes == 4 * found.parameters
    assert found.peak_rss_bytes > 0
    assert found.timings.fit > 0


@pytest.mark.parametrize("normals", [True, False])
def test_circle_from_points(normals) -> None:
    found = IGR.reconstruct(round_cloud(2, normals=normals), tiny())
    (line,) = found.surface.lines
    np.testing.assert_array_equal(line[0], line[-1])
    radii = np.linalg.norm(line - CENTER[:2], axis=1)
    assert 3.8 < radii.min() < radii.max() < 4.2


def test_torus_has_its_hole() -> None:
    mesh = shapes.torus(major=1.0, minor=0.45, major_segments=40, minor_segments=20)
    inner = np.array([1.0, 1.0, 0.0]) * mesh.vertices
    inner /= np.linalg.norm(inner, axis=1, keepdims=True)
    found = IGR.reconstruct(PointCloud(mesh.vertices, mesh.vertices - inner), tiny()).surface
    assert diagnose(found).watertight
    assert len(found.vertices) - len(found.faces) // 2 == 0


def test_inward_normals_give_an_outward_surface() -> None:
    cloud = round_cloud(3, normals=True)
    found = IGR.reconstruct(PointCloud(cloud.points, -cloud.normals), tiny())
    assert "negative outside" in found.notes[0]
    assert diagnose(found.surface).volume == pytest.approx(4 / 3 * np.pi * 4**3, rel=0.1)


def test_same_seed_same_surface_and_resumed_ones_too(tmp_path) -> None:
    cloud, path = round_cloud(2, normals=True), tmp_path / "run.npz"
    options = {"budget": Budget(steps=20)}
    one, two, other = (
        IGR.reconstruct(cloud, tiny(seed=seed, **options)).surface.lines[0] for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one[:1], other[:1])
    first = IGR.reconstruct(cloud, tiny(seed=3, checkpoint=path, **options))
    again = IGR.reconstruct(cloud, tiny(seed=3, checkpoint=path, **options))
    np.testing.assert_array_equal(again.surface.lines[0], one)
    assert again.timings.fit == first.timings.fit
    moved = PointCloud(cloud.points + 1, cloud.normals)
    with pytest.raises(MethodError, match="differs in cloud, seed;"):
        IGR.reconstruct(moved, tiny(seed=4, checkpoint=path, **options))


def test_source_is_not_changed() -> None:
    cloud = round_cloud(2, normals=True)
    points, normals = cloud.points.copy(), cloud.normals.copy()
    IGR.reconstruct(cloud, tiny(budget=Budget(steps=2)))
    np.testing.assert_array_equal(cloud.points, points)
    np.testing.assert_array_equal(cloud.normals, normals)


def test_is_found_by_its_name() -> None:
    method = find_method("igr")
    assert method is IGR
    assert next(iter(method.presets)) == Options().preset
    assert method.dimensions == (2, 3)
    cloud = round_cloud(2, normals=True)
    assert kind_of(cloud) in method.takes
    assert kind_of(PointCloud(cloud.points)) in method.takes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preset": "huge"}, "preset of IGR must be one of compact, paper"),
        ({"resolution": 4}, "resolution must be at least"),
        ({"device": "tpu"}, "device must be cpu or cuda"),
        pytest.param(
            {"device": "cuda"},
            "no CUDA GPU",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU"),
        ),
    ],
)
def test_impossible_options_are_refused(options, message) -> None:
    with pytest.raises(GeomMinerError, match=message):
        IGR.reconstruct(round_cloud(2, normals=True), tiny(**options))


def test_meshes_are_refused() -> None:
    with pytest.raises(MethodError, match="IGR needs points"):
        IGR.reconstruct(shapes.box(), tiny())


@pytest.mark.gpu
def test_sphere_on_a_gpu(tmp_path) -> None:
    options = tiny(device="cuda", checkpoint=tmp_path / "run.npz")
    found = IGR.reconstruct(round_cloud(3, normals=True), options)
    radii = np.linalg.norm(found.surface.vertices - CENTER, axis=1)
    assert 3.8 < radii.min() < radii.max() < 4.2
