"""Winding numbers as a reference: weights of samples, exact answers, repaired meshes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from eval.metrics import WindingReference, compare_with_winding, winding_reference
from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.voxelize.occupancy import Occupancy
from geom_miner.voxelize.winding import winding_numbers
from tests.shapes import joined, sphere
from tests.voxelize.test_broken_meshes import dense, exact_winding, voxels


def reference_of(
    occupancy: Occupancy, mesh: TriangleMesh, *, samples: int, seed: int = 0
) -> WindingReference:
    grid, blocks = occupancy.grid, occupancy.blocks
    return compare_with_winding(mesh, grid, blocks, samples=samples, seed=seed)


def test_the_reference_weighs_its_samples() -> None:
    mesh = sphere(1.0, subdivisions=4)
    occupancy, hollow = (
        voxels(mesh),
        voxels(joined(mesh, sphere(0.6, subdivisions=4)), inside="parity"),
    )
    complete = reference_of(occupancy, occupancy.repaired.mesh, samples=40**3)
    sampled = reference_of(occupancy, occupancy.repaired.mesh, samples=20_000, seed=3)
    assert len(complete.index) == 40**3 > len(sampled.index)
    assert sampled.weights.sum() == pytest.approx(40**3)
    assert complete.iou(occupancy.blocks) == sampled.iou(occupancy.blocks) == 1.0
    assert complete.unclear_fraction == sampled.unclear_fraction == 0.0
    assert complete.fast_error < 0.02
    assert (
        complete.exact_samples
        == complete.random_samples
        == 1 + winding_reference.EXACT_WORK // len(mesh.faces)
    )
    true = complete.iou(hollow.blocks)
    assert true == pytest.approx(1 - 0.6**3, abs=0.02)
    assert sampled.iou(hollow.blocks) == pytest.approx(true, abs=0.02)
    again = reference_of(occupancy, occupancy.repaired.mesh, samples=20_000, seed=3)
    np.testing.assert_array_equal(sampled.index, again.index)


@pytest.mark.parametrize("error", [0.0, 0.15])
def test_the_reference_answers_what_exact_winding_numbers_say(
    error: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On an open dome, whose winding numbers take all values, whatever the error of fast ones."""
    whole = sphere(1.0, subdivisions=4)
    dome = TriangleMesh(whole.vertices, whole.faces[(whole.triangles[..., 2] > -0.1).all(axis=1)])
    occupancy = voxels(dome, n=24)

    def fast(mesh: TriangleMesh, points: npt.NDArray[np.float64], exact: bool = False) -> Any:
        numbers = winding_numbers(mesh, points, exact=True)
        signs = np.random.default_rng(0).choice([-1, 1], len(points))
        return numbers if exact else numbers + error * signs

    monkeypatch.setattr(winding_reference, "EXACT_WORK", 50 * len(dome.faces))
    if error:
        monkeypatch.setattr(winding_reference, "winding_numbers", fast)
    verdict = reference_of(occupancy, occupancy.repaired.mesh, samples=24**3)
    exact = exact_winding(occupancy, dome).reshape(-1)
    clear = np.abs(exact - 0.5) > winding_reference.UNCLEAR
    assert 0.01 < verdict.unclear_fraction == np.mean(~clear)
    np.testing.assert_array_equal(verdict.clear, clear)
    np.testing.assert_array_equal(verdict.winding[clear] > 0.5, exact[clear] > 0.5)
    assert verdict.random_samples == 51 < verdict.exact_samples < len(exact) / 2
    assert verdict.fast_error == pytest.approx(error, abs=0.02)


def test_flipped_faces_break_the_winding_numbers_of_the_mesh_as_stored() -> None:
    """Not those of the repaired mesh: it is closed, so its winding numbers are whole."""
    mesh = sphere(1.0, subdivisions=4)
    faces = mesh.faces.copy()
    faces[::9] = faces[::9, ::-1]
    broken = TriangleMesh(mesh.vertices, faces)
    occupancy = voxels(broken)
    stored = reference_of(occupancy, broken, samples=40**3)
    repaired = reference_of(occupancy, occupancy.repaired.mesh, samples=40**3)
    np.testing.assert_array_equal(dense(occupancy), dense(voxels(mesh)))
    assert repaired.iou(occupancy.blocks) == 1.0
    assert repaired.broken_fraction == 0.0 < 0.1 < stored.broken_fraction
