"""Truncated signed distances, against brute force and analytic truth."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import maximum_filter, minimum_filter

from geom_miner.grid.sparse import SparseBlocks
from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.voxelize.distance import signed_distance
from geom_miner.voxelize.occupancy import Occupancy, voxelize_mesh
from geom_miner.voxelize.settings import VoxelizeSettings
from tests.shapes import box, joined, sphere, torus

Floats = npt.NDArray[np.float64]


def distances(
    mesh: TriangleMesh, occupancy: Occupancy, band: float
) -> tuple[SparseBlocks, npt.NDArray[np.float32]]:
    shape = occupancy.grid.shape
    blocks = signed_distance(
        occupancy.grid.world_to_index(mesh.vertices),
        mesh.faces,
        occupancy.blocks,
        (shape[0], shape[1], shape[2]),
        band=band,
    )
    return blocks, blocks.to_dense(shape)[..., 0].numpy()


def brute_force(points: Floats, triangles: Floats) -> Floats:
    """Distances (p,) by projecting on planes, edges and corners of all triangles."""
    best = np.full(len(points), np.inf)
    for a, b, c in triangles:
        normal = np.cross(b - a, c - a)
        for p, q in ((a, b), (b, c), (c, a)):
            edge = q - p
            t = np.clip((points - p) @ edge / max(edge @ edge, 1e-300), 0, 1)
            best = np.minimum(best, np.linalg.norm(points - p - t[:, None] * edge, axis=1))
        size = np.linalg.norm(normal)
        if size > 0:
            height = (points - a) @ normal / size
            foot = points - height[:, None] * normal / size
            sides = [np.cross(q - p, foot - p) @ normal for p, q in ((a, b), (b, c), (c, a))]
            within = (np.stack(sides) >= 0).all(axis=0)
            best = np.where(within, np.minimum(best, np.abs(height)), best)
    return best


@given(seed=st.integers(0, 2**32 - 1), band=st.sampled_from([1.0, 2.5]))
@settings(max_examples=25)
def test_equals_brute_force_within_the_band(seed: int, band: float) -> None:
    """Large and small, thin and degenerate faces, in blocks that do not fill the grid."""
    rng = np.random.default_rng(seed)
    soup = rng.normal(size=(6, 3, 3)) * rng.choice([0.01, 0.2, 1.0], (6, 1, 1))
    soup += rng.normal(size=(6, 1, 3))
    soup[0, 2] = soup[0, 1]
    soup[1, 2] = (soup[1, 0] + soup[1, 1]) / 2
    mesh = TriangleMesh(soup.reshape(-1, 3), np.arange(18).reshape(6, 3))
    occupancy = voxelize_mesh(mesh, VoxelizeSettings(13, inside="parity"), block_size=4)
    _, field = distances(mesh, occupancy, band)
    index = np.stack(np.indices(field.shape), axis=-1).reshape(-1, 3).astype(np.float64)
    corners = occupancy.grid.world_to_index(soup)
    truth = np.minimum(brute_force(index, corners), band).reshape(field.shape)
    inside = occupancy.blocks.to_dense(field.shape)[..., 0].numpy()
    window = 2 * int(np.ceil(band)) + 1
    highest, lowest = (f(inside, window, mode="constant") for f in (maximum_filter, minimum_filter))
    truth[highest == lowest] = band
    np.testing.assert_allclose(np.abs(field), truth, atol=1e-5)


def test_the_sign_is_that_of_the_occupancy() -> None:
    """Also where a hole was bridged, so that inside ends far from any triangle."""
    ball = sphere(1.0, subdivisions=4)
    holed = TriangleMesh(ball.vertices, ball.faces[(ball.triangles[..., 2] < 0.9).all(axis=1)])
    for mesh in (ball, holed, joined(box(), torus(2.0, 0.5))):
        occupancy = voxelize_mesh(mesh, VoxelizeSettings(37), block_size=8)
        inside = occupancy.blocks.to_dense(occupancy.grid.shape)[..., 0].numpy() > 0.5
        blocks, field = distances(mesh, occupancy, 1.5)
        np.testing.assert_array_equal(field > 0, inside)
        np.testing.assert_array_equal(field < 0, ~inside)
        assert np.abs(field).max() == 1.5
        again = SparseBlocks.from_dense(torch.from_numpy(field)[..., None], blocks.layout)
        assert torch.equal(blocks.ids, again.ids)
        assert torch.equal(blocks.values, again.values)


def test_faces_inside_overlapping_solids_are_ignored() -> None:
    """Two overlapping boxes have the field of their union, a single box.

    Samples that are near both the surface of the union and a face inside it are excepted.
    """
    low, high = np.array([0.13, 0.17, 0.19]), np.array([6.13, 5.17, 4.19])
    middle = np.array([3.31, 5.17, 4.19])
    overlapping = joined(box(low, high), box((2.71, 0.17, 0.19), high), box(low, middle))
    settings = VoxelizeSettings(24)
    fields = []
    for mesh in (overlapping, box(low, high)):
        occupancy = voxelize_mesh(mesh, settings, block_size=8)
        fields.append(distances(mesh, occupancy, 1.0)[1])
    differ = np.abs(fields[0] - fields[1]) > 1e-5
    assert np.count_nonzero(differ) < 0.02 * differ.size
    assert np.abs(fields[1][differ]).max() < 1
    np.testing.assert_array_equal(fields[0] > 0, fields[1] > 0)


def test_a_sheet_between_samples_is_ignored() -> None:
    mesh = box((0, 0, 0.4), (9, 9, 0.45))
    occupancy = voxelize_mesh(mesh, VoxelizeSettings(10), block_size=8)
    assert not occupancy.report.inside_fraction
    blocks, field = distances(mesh, occupancy, 1.0)
    assert not len(blocks.ids)
    assert (field == -1).all()


@pytest.mark.parametrize("shift", [0.0, 0.31])
def test_a_box_in_samples(shift: float) -> None:
    """Analytic distance of a box with faces through samples and off them."""
    low, high = np.array([4.0, 5.0, 6.0]) + shift, np.array([11.0, 12.0, 13.0]) + shift
    mesh = box(low, high)
    occupancy = voxelize_mesh(mesh, VoxelizeSettings(20))
    index = np.stack(np.indices((20, 20, 20)), axis=-1)
    points = occupancy.grid.index_to_world(index)
    outside = np.maximum(np.maximum(low - points, points - high), 0)
    within = np.minimum(points - low, high - points).min(axis=-1)
    truth = np.where(within > 0, within, -np.linalg.norm(outside, axis=-1))
    truth = np.clip(truth / occupancy.grid.spacing[0], -3, 3)
    _, field = distances(mesh, occupancy, 3.0)
    np.testing.assert_allclose(np.abs(field), np.abs(truth), atol=1e-5)
    off = np.abs(truth) > 1e-5
    np.testing.assert_allclose(field[off], truth[off], atol=1e-5)
