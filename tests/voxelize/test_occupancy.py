"""Meshes to occupancy: centering, units, blocks, holes, and agreement with other libraries."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from geom_miner.errors import MeshError, SettingsError
from geom_miner.grid.samples import SampleGrid
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.mesh.files import read_mesh
from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.voxelize.embree import embree_inside
from geom_miner.voxelize.occupancy import Occupancy, voxelize_mesh
from geom_miner.voxelize.settings import VoxelizeSettings
from geom_miner.voxelize.winding import WindingNumbers
from tests.shapes import box, joined, sphere, torus

DATA = [
    path
    for folder in os.environ.get("GEOM_MINER_DATA", "").split(os.pathsep)
    if folder
    for path in sorted(Path(folder).glob("*.ply"))
    if path.stem in {"fandisk", "rocker-arm", "88566", "gears", "xyzrgb_dragon"}
]
real_meshes = pytest.mark.parametrize(
    "path",
    DATA or [pytest.param(None, marks=pytest.mark.skip(reason="GEOM_MINER_DATA is not set"))],
    ids=lambda path: path.stem if path else "none",
)


def dense(occupancy: Occupancy) -> npt.NDArray[np.bool_]:
    return occupancy.blocks.to_dense(occupancy.grid.shape)[..., 0].numpy() > 0.5


def centers(occupancy: Occupancy) -> npt.NDArray[np.float64]:
    """World positions of all samples, (n, n, n, 3)."""
    return occupancy.grid.index_to_world(np.stack(np.indices(occupancy.grid.shape), axis=-1))


def without_cap(mesh: TriangleMesh, cut: float) -> TriangleMesh:
    """The mesh without the faces that lie wholly above a height."""
    return TriangleMesh(mesh.vertices, mesh.faces[(mesh.triangles[..., 2] < cut).any(axis=1)])


@pytest.mark.parametrize("inside", ["auto", "majority", "winding", "embree"])
def test_every_method_finds_the_sphere(inside: str) -> None:
    center, radius = np.array([5.0, -3.0, 11.0]), 2.5
    mesh = sphere(radius, center, 4)
    occupancy = voxelize_mesh(mesh, VoxelizeSettings(24, inside=inside), block_size=8)
    distance = np.linalg.norm(centers(occupancy) - center, axis=-1)
    certain = np.abs(distance - radius) > 0.5 * occupancy.grid.spacing[0]
    np.testing.assert_array_equal(dense(occupancy)[certain], distance[certain] < radius)
    assert occupancy.report.method == ("parity" if inside == "auto" else inside)
    assert occupancy.report.inside_fraction == dense(occupancy).mean()


def test_samples_sit_at_cell_centers() -> None:
    """A box symmetric in its cube comes back symmetric: nothing is half a sample off."""
    occupancy = voxelize_mesh(box((-1, -1, -1), (1, 1, 1)), VoxelizeSettings(20, fill=0.5))
    expected = np.zeros((20, 20, 20), dtype=bool)
    expected[5:15, 5:15, 5:15] = True
    np.testing.assert_array_equal(dense(occupancy), expected)
    mean = centers(occupancy)[expected].mean(axis=0)
    np.testing.assert_allclose(mean, 0.0, atol=1e-12)


def test_axes_are_x_y_z_and_units_are_the_meshs() -> None:
    """A box of three different sides in odd units: volume and extent per array axis."""
    low, high = np.array([1000.0, -20.0, 3.0]), np.array([1640.0, 300.0, 163.0])
    occupancy = voxelize_mesh(box(low, high), VoxelizeSettings(64, fill=0.625))
    inside = np.argwhere(dense(occupancy))
    np.testing.assert_array_equal(np.ptp(inside, axis=0) + 1, [40, 20, 10])
    spacing = np.array(occupancy.grid.spacing)
    np.testing.assert_allclose(spacing, 16.0)
    corners = occupancy.grid.index_to_world([inside.min(axis=0), inside.max(axis=0)])
    np.testing.assert_allclose(corners, [low + spacing / 2, high - spacing / 2])


def test_far_and_tiny_meshes_voxelize_as_at_the_origin() -> None:
    """Powers of two move and scale exactly, so the occupancy is the same bit for bit."""
    mesh = TriangleMesh(
        np.round(sphere(1.0, subdivisions=3).vertices * 2**20) / 2**20, sphere().faces
    )
    settings = VoxelizeSettings(32, fill=0.5)
    near = voxelize_mesh(mesh, settings)
    for scale, shift in ((2.0**-60, 0.0), (2.0**60, 0.0), (1.0, 2.0**30)):
        moved = voxelize_mesh(TriangleMesh(mesh.vertices * scale + shift, mesh.faces), settings)
        assert torch.equal(moved.blocks.values, near.blocks.values)
        assert torch.equal(moved.blocks.constants, near.blocks.constants)


def test_blocks_are_those_of_the_dense_signal() -> None:
    """Same ids, samples and constants as cutting the dense occupancy, also with padding."""
    mesh = torus(1.0, 0.4)
    for settings in (
        VoxelizeSettings(32),
        VoxelizeSettings(37, fill=1.0),
        VoxelizeSettings(37, inside="majority"),
    ):
        blocks = voxelize_mesh(mesh, settings).blocks
        signal = blocks.to_dense((settings.resolution,) * 3).to(torch.uint8)
        again = SparseBlocks.from_dense(signal, blocks.layout)
        assert blocks.values.shape[1] == blocks.layout.block_samples // 8
        assert torch.equal(blocks.ids, again.ids)
        assert torch.equal(blocks.rows(slice(None)), again.values.float())
        constant = blocks.slots < 0
        assert torch.equal(blocks.constants[constant], again.constants[constant])
        assert blocks.sum((settings.resolution,) * 3) == int(signal.sum())


def test_inside_out_and_split_vertices_change_nothing() -> None:
    mesh = torus(1.0, 0.4, (0.3, 0.2, 0.1))
    soup = mesh.triangles[:, ::-1].reshape(-1, 3)
    split = TriangleMesh(soup, np.arange(len(soup)).reshape(-1, 3))
    settings = VoxelizeSettings(48)
    first, second = voxelize_mesh(mesh, settings), voxelize_mesh(split, settings)
    assert torch.equal(first.blocks.values, second.blocks.values)
    assert second.report.odd_columns == 0
    assert second.report.diagnosis.watertight


def test_a_hole_is_bridged_and_reported() -> None:
    whole = sphere(1.0, subdivisions=4)
    holed = without_cap(whole, 0.98)
    settings = VoxelizeSettings(64)
    occupancy = voxelize_mesh(holed, settings)
    assert occupancy.report.method == "majority+winding"
    assert occupancy.report.odd_columns > 0
    assert "winding numbers" in " ".join(occupancy.report.sentences())
    grid = occupancy.grid
    # The mesh lost its cap, so the truth is that of the whole sphere.
    distance = np.linalg.norm(centers(occupancy), axis=-1)
    certain = (np.abs(distance - 1.0) > grid.spacing[0]) & (centers(occupancy)[..., 2] < 0.95)
    np.testing.assert_array_equal(dense(occupancy)[certain], distance[certain] < 1.0)
    # Parity along z alone loses the columns under the hole.
    parity = voxelize_mesh(holed, dataclasses.replace(settings, inside="parity"))
    assert parity.report.inside_fraction < occupancy.report.inside_fraction


def test_parity_along_three_axes_agrees_off_the_surface() -> None:
    mesh = joined(torus(1.0, 0.4), sphere(0.3, (0.01, 0.02, 0.03), 3))
    z_only = voxelize_mesh(mesh, VoxelizeSettings(64))
    vote = voxelize_mesh(mesh, VoxelizeSettings(64, inside="majority"))
    p = centers(z_only)
    ring = np.hypot(p[..., 0], p[..., 1]) - 1.0
    distance = np.minimum(
        np.abs(np.hypot(ring, p[..., 2]) - 0.4),
        np.abs(np.linalg.norm(p - [0.01, 0.02, 0.03], axis=-1) - 0.3),
    )
    off = distance > 0.5 * z_only.grid.spacing[0]
    np.testing.assert_array_equal(dense(z_only)[off], dense(vote)[off])


def test_report_is_json_and_reads_well() -> None:
    progress: list[float] = []
    report = voxelize_mesh(sphere(), VoxelizeSettings(32), progress=progress.append).report
    again = json.loads(json.dumps(dataclasses.asdict(report)))
    assert again["method"] == "parity"
    assert again["diagnosis"]["watertight"] is True
    assert again["odd_columns"] == 0
    assert again["columns"] * 2 == again["crossings"]
    assert progress[-1] == 1.0
    assert "watertight" in " ".join(report.sentences())


def test_a_grid_takes_the_place_of_resolution_and_fill() -> None:
    mesh, settings = torus(1.0, 0.4), VoxelizeSettings(16, fill=0.5)
    whole = voxelize_mesh(mesh, VoxelizeSettings(32, fill=0.5))
    result = voxelize_mesh(mesh, settings, grid=voxelize_mesh(mesh, settings).grid.refined(2))
    assert result.grid == whole.grid
    assert torch.equal(result.blocks.values, whole.blocks.values)
    assert result.report.resolution == 32
    with pytest.raises(SettingsError, match="every axis"):
        voxelize_mesh(mesh, settings, grid=SampleGrid.unit((8, 8, 4)))


def test_flat_meshes_are_refused() -> None:
    with pytest.raises(MeshError, match="flat"):
        voxelize_mesh(box((0, 0, 0), (1, 1, 0)))


@pytest.mark.parametrize(
    "changes",
    [{"resolution": 1}, {"fill": 0.0}, {"fill": 1.5}, {"inside": "magic"}],
)
def test_settings_are_checked(changes: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=next(iter(changes))):
        VoxelizeSettings(**changes)  # type: ignore[arg-type]


def test_embree_refuses_to_count_beyond_its_limit() -> None:
    """Far more sheets than it counts: it must say so, not return half a count's parity."""
    sheets = [box((-1e3, -1e3, 4.0 * k), (1e3, 1e3, 4.0 * k + 2)) for k in range(300)]
    with pytest.raises(MeshError, match="inside=parity"):
        embree_inside(joined(*sheets), np.array([[0.0, 0.0, -5.0]]))


@pytest.mark.data
@real_meshes
def test_real_meshes_agree_with_embree_and_winding(path: Path) -> None:
    """Random samples off the surface: three independent ways give one answer."""
    mesh = read_mesh(path)
    occupancy = voxelize_mesh(mesh, VoxelizeSettings(128))
    assert occupancy.report.odd_columns == 0
    index = np.random.default_rng(0).integers(0, 128, (20_000, 3))
    points = occupancy.grid.index_to_world(index)
    ours = occupancy.blocks.read(torch.from_numpy(index), (1, 1, 1)).reshape(-1).numpy() > 0.5
    off = distance_to_surface(mesh, points) > 1e-3 * occupancy.grid.spacing[0]
    np.testing.assert_array_equal(embree_inside(mesh, points)[off], ours[off])
    np.testing.assert_array_equal(WindingNumbers(mesh).inside(points)[off], ours[off])


def distance_to_surface(
    mesh: TriangleMesh, points: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    import igl

    squared, _, _ = igl.point_mesh_squared_distance(
        points, mesh.vertices, mesh.faces.astype(np.int64)
    )
    return np.sqrt(squared)
