"""The cube of samples around a mesh."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from geom_miner.errors import MeshError, SettingsError
from geom_miner.grid.samples import SampleGrid
from geom_miner.mesh.triangle_mesh import TriangleMesh

# Largest magnitude of a coordinate. Volumes grow with the third power of coordinates, and beyond
# this magnitude they overflow float64.
MAX_COORDINATE = 1e100


def grid_for_mesh(mesh: TriangleMesh, resolution: int, fill: float = 0.98) -> SampleGrid:
    """A cube of resolution**3 samples with the mesh's bounding box in its middle.

    The mesh itself is not moved. The grid's spacing and origin hold the transform, so that
    everything computed on the samples is in the mesh's own units.

    Parameters
    ----------
    resolution : samples along each side, >= 2.
    fill : share of the cube's side that the longest side of the bounding box takes, in (0, 1].
        A value below 1 leaves an empty border, so that the surface closes inside the cube.

    Raises
    ------
    MeshError
        The mesh has no faces, is flat along an axis, has a coordinate beyond
        ``MAX_COORDINATE``, or is so small compared with its coordinates that float64 cannot tell
        neighboring samples apart.
    SettingsError
        The resolution or the fill is out of range.
    """
    if resolution < 2 or not 0 < fill <= 1:
        raise SettingsError(
            f"resolution must be >= 2 and fill in (0, 1], got {resolution} and {fill}"
        )
    low, high = mesh.bounds
    largest = float(np.abs([low, high]).max())
    if largest > MAX_COORDINATE:
        raise MeshError(
            f"coordinates must be at most {MAX_COORDINATE:g} in magnitude, got {largest:g}; "
            "rescale the mesh"
        )
    sides = high - low
    if sides.min() <= 0:
        axis = "xyz"[int(sides.argmin())]
        raise MeshError(
            f"the mesh is flat: it has no extent along {axis}, so nothing can be inside; "
            "give a closed surface"
        )
    spacing = float(sides.max()) / (fill * resolution)
    if not spacing > 16 * np.spacing(largest):
        raise MeshError(
            f"the mesh is too small for its coordinates (up to {largest:g}) to be sampled "
            f"{resolution} times along a side; move it to the origin or rescale it"
        )
    return grid_around_box(low, high, resolution, fill)


def grid_around_box(
    low: npt.NDArray[np.float64], high: npt.NDArray[np.float64], resolution: int, fill: float
) -> SampleGrid:
    """A cube of resolution**3 samples with a box in its middle; see ``grid_for_mesh``.

    Parameters
    ----------
    low, high : (3,) corners of the box, which has an extent along some axis.
    """
    spacing = float((high - low).max()) / (fill * resolution)
    origin = (low + high) / 2 - spacing * resolution / 2
    return SampleGrid((resolution,) * 3, (spacing,) * 3, tuple(origin.tolist()))
