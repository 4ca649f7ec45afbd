"""Whether positions need float64: far from the origin float32 is coarser than a shape's detail."""

from __future__ import annotations

import numpy as np

from geom_miner.grid.samples import SampleGrid
from geom_miner.mesh.triangle_mesh import TriangleMesh

# Largest step between neighboring float32 numbers, in voxels: positions are then rounded by at most
# half of it, which is below the error of the best fits.
_STEP_PER_VOXEL = 0.01
# The same over the longest side of a mesh whose voxels are not known: as if it had 1,000 along it.
_STEP_PER_SIDE = 1e-5


def float32_step(largest: float) -> float:
    """Distance of neighboring float32 numbers at a magnitude; NaN beyond their range."""
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.spacing(np.float32(largest)))


def grid_needs_double(grid: SampleGrid) -> bool:
    """Whether a surface on a grid needs float64: float32's step exceeds a hundredth of a voxel."""
    return _is_too_coarse(largest_of_grid(grid), _STEP_PER_VOXEL * min(grid.spacing))


def mesh_needs_double(mesh: TriangleMesh) -> bool:
    """Whether a mesh needs float64: float32's step exceeds 1e-5 of its longest side."""
    if not len(mesh.vertices):
        return False
    sides = mesh.vertices.max(axis=0) - mesh.vertices.min(axis=0)
    return _is_too_coarse(largest_of_mesh(mesh), _STEP_PER_SIDE * float(sides.max()))


def largest_of_grid(grid: SampleGrid) -> float:
    """Largest magnitude of a coordinate in the grid."""
    low = np.asarray(grid.origin)
    high = low + np.multiply(grid.spacing, grid.shape)
    return float(np.abs([low, high]).max())


def largest_of_mesh(mesh: TriangleMesh) -> float:
    """Largest magnitude of a coordinate of the vertices, 0 if there are none."""
    if not len(mesh.vertices):
        return 0.0
    return float(max(mesh.vertices.max(), -mesh.vertices.min()))


def _is_too_coarse(largest: float, tolerance: float) -> bool:
    # A step beyond float32's range is NaN, which is not below the tolerance.
    return not float32_step(largest) <= tolerance
