"""The cube of samples around a mesh."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geom_miner.errors import MeshError, SettingsError
from geom_miner.mesh.normalize import grid_for_mesh
from geom_miner.mesh.triangle_mesh import TriangleMesh
from tests.shapes import box

coordinate = st.floats(-1e6, 1e6)
side = st.floats(1e-3, 1e6)


@given(
    low=st.tuples(coordinate, coordinate, coordinate),
    sides=st.tuples(side, side, side),
    resolution=st.integers(2, 300),
    fill=st.floats(0.1, 1.0),
)
def test_bounding_box_is_centered_and_fills_its_share(
    low: tuple[float, ...], sides: tuple[float, ...], resolution: int, fill: float
) -> None:
    high = np.array(low) + sides
    grid = grid_for_mesh(box(low, high), resolution, fill)
    assert grid.shape == (resolution,) * 3
    assert len(set(grid.spacing)) == 1
    indices = grid.world_to_index([low, high])
    # 1e6 / 1e-3 leaves seven of float64's sixteen digits, and an index has up to three.
    tolerance = 1e-4
    np.testing.assert_allclose(indices.mean(axis=0), (resolution - 1) / 2, atol=tolerance)
    assert np.ptp(indices, axis=0).max() == pytest.approx(fill * resolution, abs=tolerance)


def test_unused_vertices_do_not_count() -> None:
    mesh = box()
    far = TriangleMesh(np.concatenate([mesh.vertices, [[99.0, 0, 0]]]), mesh.faces)
    assert grid_for_mesh(far, 16) == grid_for_mesh(mesh, 16)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_flat_mesh_is_refused(axis: int) -> None:
    high = np.ones(3)
    high[axis] = 0
    with pytest.raises(MeshError, match=f"flat: it has no extent along {'xyz'[axis]}"):
        grid_for_mesh(box((0, 0, 0), high), 16)


def test_mesh_too_small_for_its_coordinates_is_refused() -> None:
    with pytest.raises(MeshError, match="move it to the origin"):
        grid_for_mesh(box((1e12,) * 3, (1e12 + 0.01,) * 3), 256)


def test_mesh_beyond_computable_coordinates_is_refused() -> None:
    mesh = box((-1, -1, -1), (1, 1, 1))
    with pytest.raises(MeshError, match="rescale"):
        grid_for_mesh(TriangleMesh(mesh.vertices * 1e308, mesh.faces), 64)


def test_settings_are_checked() -> None:
    for resolution, fill in ((1, 0.9), (8, 0.0), (8, 1.1)):
        with pytest.raises(SettingsError):
            grid_for_mesh(box(), resolution, fill)
