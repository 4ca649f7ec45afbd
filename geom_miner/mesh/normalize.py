"""The cube of samples around a mesh."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from geom_miner.errors import MeshError, SettingsError
from geom_miner.grid.samples import SampleGrid
from geom_miner.mesh.triangle_mesh import TriangleMesh

# Volumes go with the third power of coordinates; beyond this they overflow float64.
MAX_REACH = 1e100


def grid_for_mesh(mesh: TriangleMesh, resolution: int, fill: float = 0.98) -> SampleGrid:
    """A cube of resolution**3 samples with the mesh's bounding box in its middle.

    The mesh itself is not moved: spacing and origin of the grid carry the transform, so that
    everything computed on the samples comes back in the mesh's own units.

    Parameters
    ----------
    resolution : samples along each side, >= 2.
    fill : share of the cube's side that the longest side of the bounding box takes, in (0, 1];
        below 1 an empty border is left, so that the surface closes inside the cube.

    Raises
    ------
    MeshError
        The mesh has no faces, is flat along an axis, reaches beyond ``MAX_REACH``, or is so small
        for its coordinates that float64 cannot tell neighboring samples apart.
    """
    if resolution < 2 or not 0 < fill <= 1:
        raise SettingsError(
            f"resolution must be >= 2 and fill in (0, 1], got {resolution} and {fill}"
        )
    low, high = mesh.bounds
    reach = float(np.abs([low, high]).max())
    if reach > MAX_REACH:
        raise MeshError(
            f"coordinates reach {reach:g}, beyond what can be computed with; rescale the mesh"
        )
    sides = high - low
    if sides.min() <= 0:
        axis = "xyz"[int(sides.argmin())]
        raise MeshError(
            f"the mesh is flat: it has no extent along {axis}, so nothing can be inside; "
            "give a closed surface"
        )
    spacing = float(sides.max()) / (fill * resolution)
    if not spacing > 16 * np.spacing(reach):
        raise MeshError(
            f"the mesh is too small for its coordinates (up to {reach:g}) to be sampled "
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
