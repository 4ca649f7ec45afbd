"""The narrow band gives the dense grid's surface; surfaces that miss the points are refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from eval.errors import MethodError
from eval.methods.implicit.level_set import (
    MARGIN,
    extract_level_set,
    extraction_grid,
    narrow_band,
)
from eval.methods.implicit.outcome import check_surface, orient_outward
from eval.methods.protocol import Contours
from geom_miner import SampleGrid, diagnose
from geom_miner.extract import extract_mesh_dense
from tests import shapes


def ball(points: Tensor) -> Tensor:
    return points.norm(dim=1) - 0.8


def torus(points: Tensor) -> Tensor:
    return torch.hypot(points[:, :2].norm(dim=1) - 0.7, points[:, 2]) - 0.2


def plates(points: Tensor) -> Tensor:
    """Two discs, thinner than the step of the coarse samples, joined by a thin rod."""
    radial, height = points[:, :2].norm(dim=1), points[:, 2].abs()
    discs = torch.maximum((height - 0.5).abs() - 0.03, radial - 0.8)
    rod = torch.maximum(radial - 0.05, height - 0.5)
    return torch.minimum(discs, rod)


def steep(points: Tensor) -> Tensor:
    """A function that saturates, as an occupancy does."""
    return torch.tanh(20 * torus(points))


def bent(points: Tensor) -> Tensor:
    """A function whose slope varies a hundredfold."""
    return torus(points) * torch.exp(4 * points[:, 0])


def grid_of(half: tuple[float, ...], resolution: int) -> SampleGrid:
    return extraction_grid(-np.array(half), np.array(half), resolution)


def dense(function, grid: SampleGrid) -> np.ndarray:
    index = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1)
    points = torch.from_numpy(grid.index_to_world(index.reshape(-1, grid.ndim))).float()
    return function(points).reshape(grid.shape).numpy()


@pytest.mark.parametrize("function", [ball, torus, plates, steep, bent])
@pytest.mark.parametrize("resolution", [40, 100])
def test_band_gives_the_dense_surface(function, resolution) -> None:
    grid = grid_of((0.9, 0.9, 0.8), resolution)
    mesh = extract_level_set(function, grid, "cpu")
    expected = extract_mesh_dense(-dense(function, grid), grid, iso_level=0.0)
    np.testing.assert_array_equal(mesh.vertices, expected.vertices)
    assert set(map(tuple, mesh.faces.tolist())) == set(map(tuple, expected.faces.tolist()))
    assert diagnose(mesh).watertight


def test_band_is_narrow() -> None:
    band = narrow_band(torus, grid_of((0.9, 0.9, 0.2), 160), "cpu")
    assert len(band.ids) < 0.4 * band.layout.num_blocks


def test_torus_has_its_genus_and_measures() -> None:
    mesh = extract_level_set(torus, grid_of((0.9, 0.9, 0.2), 120), "cpu")
    diagnosis = diagnose(mesh)
    edges = len(mesh.faces) * 3 // 2
    assert diagnosis.watertight
    assert len(mesh.vertices) - edges + len(mesh.faces) == 0
    volume, area = 2 * np.pi**2 * 0.7 * 0.2**2, 4 * np.pi**2 * 0.7 * 0.2
    assert 0.99 * volume < diagnosis.volume < volume
    assert 0.99 * area < diagnosis.area < area


def test_grid_is_centered_on_the_box_with_its_margin() -> None:
    low, high = np.array([-1.0, 2.0, 5.0]), np.array([3.0, 4.0, 5.5])
    grid = extraction_grid(low, high, 50)
    assert grid.shape[0] == max(grid.shape) == 50
    assert len(set(grid.spacing)) == 1
    sides = np.array(grid.shape) * grid.spacing
    np.testing.assert_allclose(grid.origin + sides / 2, (low + high) / 2, atol=1e-12)
    assert (sides >= high - low + 2 * MARGIN * 4 - 1e-9).all()


def test_circle_is_a_closed_line_around_its_inside() -> None:
    (line,) = extract_level_set(ball, grid_of((0.8, 0.8), 64), "cpu").lines
    np.testing.assert_array_equal(line[0], line[-1])
    np.testing.assert_allclose(np.linalg.norm(line, axis=1), 0.8, atol=2e-4)
    doubled = line[:-1, 0] * line[1:, 1] - line[1:, 0] * line[:-1, 1]
    assert 0.995 * np.pi * 0.64 < doubled.sum() / 2 < np.pi * 0.64


def test_axes_of_two_dimensions_keep_their_order() -> None:
    def right(points: Tensor) -> Tensor:
        return (points - torch.tensor([0.5, 0.0])).norm(dim=1) - 0.3

    (line,) = extract_level_set(right, grid_of((0.9, 0.4), 64), "cpu").lines
    np.testing.assert_allclose(line[:-1].mean(axis=0), [0.5, 0.0], atol=0.01)


@pytest.mark.parametrize("ndim", [2, 3])
def test_surface_that_leaves_the_grid_is_closed_along_its_border(ndim) -> None:
    grid = grid_of((0.64,) * ndim, 24)
    function, notes = orient_outward(ball, grid, "cpu")
    assert "leaves the box" in notes[0]
    surface = extract_level_set(function, grid, "cpu")
    if isinstance(surface, Contours):
        (line,) = surface.lines
        np.testing.assert_array_equal(line[0], line[-1])
    else:
        assert diagnose(surface).watertight


def test_sign_is_flipped_where_outside_is_negative() -> None:
    grid = grid_of((0.8, 0.8, 0.8), 32)
    function, notes = orient_outward(lambda points: -ball(points), grid, "cpu")
    assert notes == ("The network was negative outside; its sign was flipped.",)
    at = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(function(at), ball(at))
    assert diagnose(extract_level_set(function, grid, "cpu")).volume > 0
    assert orient_outward(ball, grid, "cpu") == (ball, ())


def test_failures_are_reported() -> None:
    cloud = shapes.sphere(0.8).vertices
    grid = grid_of((0.8, 0.8, 0.8), 32)
    nothing = extract_level_set(lambda points: ball(points) + 9, grid, "cpu")
    with pytest.raises(MethodError, match="no surface came out"):
        check_surface(nothing, cloud)
    with pytest.raises(MethodError, match="no surface came out"):
        check_surface(Contours(()), cloud[:, :2])
    with pytest.raises(MethodError, match=r"6\.\d% of the points' size"):
        check_surface(shapes.sphere(0.05), cloud)
    assert check_surface(shapes.sphere(0.8), cloud) == ()
    (note,) = check_surface(shapes.sphere(0.6), cloud)
    assert "off the surface" in note
