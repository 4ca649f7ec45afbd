"""IGR and PHASE as methods: small shapes from points alone, checkpoints, refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from eval.clouds.point_cloud import PointCloud
from eval.errors import MethodError
from eval.methods import Budget, Options, find_method, kind_of
from eval.methods.igr import IGR, IGRLoss
from eval.methods.implicit.method import ImplicitMethod
from eval.methods.implicit.networks import ImplicitNetwork, NetworkSettings
from eval.methods.implicit.presets import ImplicitPreset
from eval.methods.implicit.sampling import SampleCounts
from eval.methods.implicit.training import Schedule
from eval.methods.phase import PHASE, PHASE_FF, PhaseSettings
from geom_miner import GeomMinerError, diagnose
from tests import shapes
from tests.eval.methods.clouds import CENTER, round_cloud

TINY_NETWORK = NetworkSettings(depth=2, width=48, skip=1)
TINY_IGR = ImplicitPreset(
    "for tests",
    TINY_NETWORK,
    Schedule(steps=250, rate=5e-3, halve_every=50, floor=1e-5),
    SampleCounts(surface=128, anywhere=32, box=1.2),
    IGRLoss(),
)
TINY_PHASE = ImplicitPreset(
    "for tests",
    TINY_NETWORK,
    Schedule(steps=160, rate=5e-3, halve_every=25, floor=1e-5),
    SampleCounts(surface=96, anywhere=256, box=1.2),
    PhaseSettings(),
)
# The paper's functional, with fewer samples.
DENSITY = replace(PHASE.presets["paper"].loss, ball=0.5, pairs=1, near=0.8)
# Largest error of the radius 4, after the few steps of the tiny presets.
TOLERANCE = {"igr": 0.2, "phase": 0.3, "phase-ff": 0.3}

both = pytest.mark.parametrize("method", [IGR, PHASE], ids=lambda method: method.name)
with_and_without_normals = pytest.mark.parametrize("normals", [True, False])


@pytest.fixture(autouse=True)
def tiny_presets(monkeypatch) -> None:
    waves = replace(TINY_PHASE, network=replace(TINY_NETWORK, frequencies=1))
    for method, preset in ((IGR, TINY_IGR), (PHASE, TINY_PHASE), (PHASE_FF, waves)):
        monkeypatch.setitem(method.presets, "tiny", preset)
    monkeypatch.setitem(PHASE.presets, "density", replace(TINY_PHASE, loss=DENSITY))


def tiny(**options) -> Options:
    return Options(**{"preset": "tiny", "resolution": 40, **options})


def check_radii(method: ImplicitMethod, points: np.ndarray) -> None:
    radii = np.linalg.norm(points - CENTER[: points.shape[1]], axis=1)
    assert np.abs(radii - 4).max() < TOLERANCE[method.name]


@both
@with_and_without_normals
def test_sphere_from_points(method, normals) -> None:
    result = method.reconstruct(round_cloud(3, normals=normals), tiny())
    check_radii(method, result.surface.vertices)
    diagnosis = diagnose(result.surface)
    assert diagnosis.watertight
    assert diagnosis.components == 1
    assert diagnosis.volume == pytest.approx(4 / 3 * np.pi * 4**3, rel=0.05)
    assert result.notes == ()
    assert result.steps == method.presets["tiny"].schedule.steps
    # 3 inputs; hidden layers of 45 (3 fewer: the input joins) and 48; 1 output.
    assert result.parameters == 45 * 4 + 48 * 49 + 49
    assert result.bytes == 4 * result.parameters
    assert result.peak_rss_bytes > 0
    assert result.timings.fit > 0


@pytest.mark.parametrize(
    ("method", "preset", "normals"),
    [
        (IGR, "tiny", True),
        (IGR, "tiny", False),
        (PHASE, "tiny", True),
        (PHASE, "density", True),
        (PHASE_FF, "tiny", True),
    ],
)
def test_circle_from_points(method, preset, normals) -> None:
    result = method.reconstruct(round_cloud(2, normals=normals), tiny(preset=preset))
    (line,) = result.surface.lines
    np.testing.assert_array_equal(line[0], line[-1])
    check_radii(method, line)


@both
def test_torus_has_its_hole(method) -> None:
    mesh = shapes.torus(major=1.0, minor=0.45, major_segments=40, minor_segments=20)
    circle = np.array([1.0, 1.0, 0.0]) * mesh.vertices
    circle /= np.linalg.norm(circle, axis=1, keepdims=True)
    cloud = PointCloud(mesh.vertices, mesh.vertices - circle)
    surface = method.reconstruct(cloud, tiny()).surface
    assert diagnose(surface).watertight
    assert len(surface.vertices) - len(surface.faces) // 2 == 0


def test_inward_normals_give_an_outward_surface() -> None:
    cloud = round_cloud(3, normals=True)
    result = IGR.reconstruct(PointCloud(cloud.points, -cloud.normals), tiny())
    assert "negative outside" in result.notes[0]
    assert diagnose(result.surface).volume == pytest.approx(4 / 3 * np.pi * 4**3, rel=0.1)


@both
def test_same_seed_same_surface_and_resumed_ones_too(method, tmp_path) -> None:
    cloud, path = round_cloud(2, normals=True), tmp_path / "run.npz"
    options = {"budget": Budget(steps=20)}
    one, two, other = (
        method.reconstruct(cloud, tiny(seed=seed, **options)).surface.lines[0] for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one[:1], other[:1])
    first = method.reconstruct(cloud, tiny(seed=3, checkpoint=path, **options))
    again = method.reconstruct(cloud, tiny(seed=3, checkpoint=path, **options))
    np.testing.assert_array_equal(again.surface.lines[0], one)
    assert again.timings.fit == first.timings.fit
    moved = PointCloud(cloud.points + 1, cloud.normals)
    with pytest.raises(MethodError, match="differs in cloud, seed;"):
        method.reconstruct(moved, tiny(seed=4, checkpoint=path, **options))
    with pytest.raises(MethodError, match="differs in preset;"):
        method.reconstruct(cloud, tiny(seed=3, preset="compact", checkpoint=path, **options))


@both
def test_source_is_not_changed(method) -> None:
    cloud = round_cloud(2, normals=True)
    points, normals = cloud.points.copy(), cloud.normals.copy()
    method.reconstruct(cloud, tiny(budget=Budget(steps=2)))
    np.testing.assert_array_equal(cloud.points, points)
    np.testing.assert_array_equal(cloud.normals, normals)


@pytest.mark.parametrize("method", [IGR, PHASE, PHASE_FF], ids=lambda method: method.name)
def test_is_found_by_its_name(method) -> None:
    assert find_method(method.name) is method
    assert next(iter(method.presets)) == Options().preset
    assert method.dimensions == (2, 3)
    cloud = round_cloud(2, normals=True)
    assert kind_of(cloud) in method.takes
    assert kind_of(PointCloud(cloud.points)) in method.takes


@both
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preset": "huge"}, "preset of .* must be one of compact, paper"),
        ({"resolution": 4}, "resolution must be at least"),
        ({"device": "tpu"}, "device must be cpu or cuda"),
        pytest.param(
            {"device": "cuda"},
            "no CUDA GPU",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU"),
        ),
    ],
)
def test_impossible_options_are_refused(method, options, message) -> None:
    with pytest.raises(GeomMinerError, match=message):
        method.reconstruct(round_cloud(2, normals=True), tiny(**options))


@both
def test_meshes_are_refused(method) -> None:
    with pytest.raises(MethodError, match=f"{method.name} takes .*points, got a mesh; draw points"):
        method.reconstruct(shapes.box(), tiny())


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("method", [PHASE, PHASE_FF], ids=["phase", "phase-ff"])
def test_every_preset_starts_as_a_sphere(ndim, method) -> None:
    for preset in (method.presets["compact"], method.presets["paper"]):
        assert preset.network.frequencies == (6 if method is PHASE_FF else 0)
        first_layer = check_sphere(ImplicitNetwork(ndim, preset.network, generator(0)))
        assert (first_layer[:, :ndim] != 0).all()
        assert (first_layer[:, ndim:] == 0).all()


def check_sphere(network: ImplicitNetwork) -> torch.Tensor:
    """The zero set is about a sphere, and the function about its distance; the first weights."""
    rays = torch.randn(200, network.ndim, generator=generator(1))
    rays = torch.nn.functional.normalize(rays, dim=1)
    radii = torch.linspace(0.1, 2.0, 20)
    with torch.no_grad():
        values = network((radii[:, None, None] * rays).flatten(0, 1)).reshape(20, -1)
    # The widths are finite, so both hold only roughly.
    assert (values.diff(dim=0) > 0).all()
    assert (values[radii < 0.6] < 0).all()
    assert (values[radii > 1.95] > 0).all()
    steepness = (values[-1] - values[0]) / 1.9
    assert float(steepness.mean()) == pytest.approx(1, abs=0.5)
    return network.weights[0].detach()


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.gpu
@both
def test_sphere_on_a_gpu(method, tmp_path) -> None:
    options = tiny(device="cuda", checkpoint=tmp_path / "run.npz")
    check_radii(method, method.reconstruct(round_cloud(3, normals=True), options).surface.vertices)
