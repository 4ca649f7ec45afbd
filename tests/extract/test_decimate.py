"""Decimation keeps the budget, the topology and the shape, and the mesh stays closed."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from geom_miner.errors import BackendUnavailable, MeshError, SettingsError
from geom_miner.extract.decimation import decimate, report_decimation
from geom_miner.extract.isosurface import extract_mesh_dense
from geom_miner.grid.samples import SampleGrid
from geom_miner.mesh.diagnosis import diagnose
from geom_miner.mesh.triangle_mesh import TriangleMesh
from tests.shapes import box, sphere, torus


def noise_mesh(seed: int, share: float) -> TriangleMesh:
    field = (np.random.default_rng(seed).random((9, 10, 11)) < share).astype(np.float32)
    return extract_mesh_dense(field, SampleGrid.unit((9, 10, 11)), iso_level=0.5)


def euler(mesh: TriangleMesh) -> int:
    """Vertices - edges + faces of a watertight mesh, whose faces have 3/2 edges each."""
    return len(np.unique(mesh.faces)) - len(mesh.faces) // 2


@given(
    seed=st.integers(0, 2**31),
    share=st.sampled_from([0.05, 0.3, 0.5, 0.8]),
    kept=st.floats(0.0, 1.0),
)
@settings(max_examples=40)
def test_extracted_meshes_stay_closed_and_keep_their_topology(
    seed: int, share: float, kept: float
) -> None:
    mesh = noise_mesh(seed, share)
    budget = max(4, round(kept * len(mesh.faces)))
    small = decimate(mesh, budget)
    report = report_decimation(mesh, small, budget)
    assert report.result.watertight
    assert report.result.components == diagnose(mesh).components
    assert euler(small) == euler(mesh)
    if report.met:
        assert len(small.faces) in (budget - 1, budget)
    else:
        # No further collapse is possible: a second decimation changes nothing.
        assert len(decimate(small, budget).faces) == len(small.faces)
        assert "not met" in report.sentence()


@pytest.mark.parametrize("budget", [4, 5, 100, 101, 1000])
def test_a_spheres_budget_is_met_to_within_one_triangle(budget: int) -> None:
    mesh = sphere(subdivisions=3)
    small = decimate(mesh, budget)
    assert len(small.faces) == budget - budget % 2
    assert diagnose(small).watertight
    assert small.volume > 0


def test_flat_faces_lose_nothing() -> None:
    field = np.zeros((24, 24, 24), dtype=np.float32)
    field[4:20, 4:20, 4:20] = 1
    mesh = extract_mesh_dense(field, SampleGrid((24,) * 3, (1.0,) * 3, (0.0,) * 3), iso_level=0.5)
    small = decimate(mesh, len(mesh.faces) // 10)
    # Marching cubes cuts off the edges of a cube; decimation takes the triangles of its flat sides.
    assert small.volume == pytest.approx(mesh.volume, rel=1e-3)
    assert small.area == pytest.approx(mesh.area, rel=1e-3)
    assert np.allclose(small.bounds, mesh.bounds, atol=1e-6)


def test_a_tenth_of_a_sphere_is_still_round() -> None:
    mesh = sphere(2.0, subdivisions=5)
    small = decimate(mesh, len(mesh.faces) // 10)
    # A regular mesh of n triangles with its corners on the sphere sags by about 4 pi r / (3 n).
    sag = 4 * np.pi * 2.0 / len(small.faces)
    assert np.abs(np.linalg.norm(small.vertices, axis=1) - 2).max() < sag
    middles = np.linalg.norm(small.triangles.mean(axis=1), axis=1)
    assert np.abs(middles - 2).max() < 4 * sag
    # Vertices are spread out: no region has only a few large triangles.
    assert cKDTree(small.vertices).query(mesh.vertices)[0].max() < 6 * 2 / len(small.faces) ** 0.5


@pytest.mark.parametrize(("offset", "size"), [(1e6, 1.0), (0.0, 1e-9), (-1e9, 1e6)])
def test_position_and_size_do_not_matter(offset: float, size: float) -> None:
    mesh = torus()
    moved = decimate(TriangleMesh(mesh.vertices * size + offset, mesh.faces), 200)
    here = decimate(mesh, 200)
    assert len(moved.faces) == len(here.faces) == 200
    assert diagnose(moved).watertight
    assert moved.volume / size**3 == pytest.approx(here.volume, rel=0.01)


def test_a_mesh_within_the_budget_is_left_as_it_is() -> None:
    mesh = box()
    assert decimate(mesh, 12) is mesh
    assert "within the budget of 12 as it is" in report_decimation(mesh, mesh, 12).sentence()
    empty = TriangleMesh(np.empty((0, 3)), np.empty((0, 3), dtype=np.int64))
    assert decimate(empty, 4) is empty
    assert "no surface" in report_decimation(empty, empty, 4).sentence()


def test_the_report_states_whether_the_budget_is_met() -> None:
    mesh = torus()
    assert euler(mesh) == 0
    small = decimate(mesh, 4)
    assert len(small.faces) > 4
    assert euler(small) == 0
    missed = report_decimation(mesh, small, 4)
    assert not missed.met
    assert "budget of 4 is not met" in missed.sentence()
    kept = report_decimation(mesh, decimate(mesh, 100), 100)
    assert kept.met
    assert (
        kept.sentence() == f"100 triangles of {len(mesh.faces):,}, watertight; the budget is 100."
    )


def test_separate_corners_are_joined_and_empty_triangles_dropped() -> None:
    mesh = sphere(subdivisions=2)
    soup = TriangleMesh(
        mesh.triangles.reshape(-1, 3), np.arange(3 * len(mesh.faces)).reshape(-1, 3)
    )
    whole = decimate(mesh, 100)
    assert diagnose(decimate(soup, 100)).watertight
    collapsed = TriangleMesh(mesh.vertices, np.vstack([mesh.faces, [[0, 0, 1]]]))
    assert len(decimate(collapsed, 100).faces) == len(whole.faces) == 100


@pytest.mark.parametrize("fault", ["hole", "flipped", "third face"])
def test_only_watertight_meshes_are_decimated(fault: str) -> None:
    faces = sphere(subdivisions=2).faces.copy()
    if fault == "hole":
        faces = faces[1:]
    elif fault == "flipped":
        faces[0] = faces[0][::-1]
    else:
        faces = np.vstack([faces, faces[:1]])
    with pytest.raises(MeshError, match="must be watertight"):
        decimate(TriangleMesh(sphere(subdivisions=2).vertices, faces), 100)


@pytest.mark.parametrize("budget", [3, 0, -1])
def test_a_budget_below_a_tetrahedron_is_refused(budget: int) -> None:
    with pytest.raises(SettingsError, match=f"at least 4.*got {budget}"):
        decimate(box(), budget)


def test_without_libigl_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "igl", None)
    with pytest.raises(BackendUnavailable, match=r"pip install \"geom_miner\[decimate\]\""):
        decimate(sphere(), 100)
