"""A real shape at 256^3: the mesh of the blocks equals the library's mesh of the dense array."""

from pathlib import Path

import numpy as np
import pytest

from geom_miner import (
    FitSettings,
    Target,
    VoxelizeSettings,
    diagnose,
    fit_signal,
    read_mesh,
    voxelize_mesh,
)
from geom_miner.extract import extract_mesh
from geom_miner.grid import SparseBlocks
from geom_miner.voxelize import Occupancy
from tests.extract.meshes import canonical_faces, library_mesh


@pytest.fixture
def lucy(data_dir: Path) -> Occupancy:
    path = data_dir / "lucy.ply"
    if not path.exists():
        pytest.skip("lucy.ply is not among the real meshes")
    return voxelize_mesh(read_mesh(path), VoxelizeSettings(resolution=256), block_size=16)


def decoded(occupancy: Occupancy) -> SparseBlocks:
    """A short fit, decoded: a float field that is rough on both sides of the iso level."""
    settings = FitSettings(steps=5, coarse_steps=5)
    target = Target.pooled(occupancy.blocks, settings.scales, occupancy.grid)
    return fit_signal(target, settings).decode(0)


@pytest.mark.data
@pytest.mark.parametrize("kind", ["occupancy", "decoded"])
def test_lucy_in_blocks_is_lucy_in_one_array(lucy: Occupancy, kind: str) -> None:
    blocks = lucy.blocks if kind == "occupancy" else decoded(lucy)
    assert 0 < len(blocks.ids) < blocks.layout.num_blocks / 2
    mesh = extract_mesh(blocks, lucy.grid, iso_level=0.5)
    dense = blocks.to_dense(lucy.grid.shape)[..., 0].float().numpy()
    assert dense.shape == (256, 256, 256)
    whole = library_mesh(dense, lucy.grid, 0.5)
    assert len(mesh.faces) > 150_000
    assert np.array_equal(mesh.vertices, whole.vertices)
    assert np.array_equal(canonical_faces(mesh), canonical_faces(whole))
    assert diagnose(mesh).watertight
