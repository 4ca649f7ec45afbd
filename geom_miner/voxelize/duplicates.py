"""Find duplicate faces to remove: copies that make a mesh leak, and the second sides of faces."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from geom_miner.mesh.triangle_mesh import TriangleMesh

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


class Duplicates:
    """The faces of a mesh that have the same three corners as another, in any order.

    Parameters
    ----------
    mesh : without vertices of equal position.
    """

    def __init__(self, mesh: TriangleMesh) -> None:
        # Numba is imported on first use.
        from geom_miner.mesh.equal_vertices import distances_to_first

        self._mesh = mesh
        corners = mesh.faces.astype(np.float64)
        corners.sort(axis=1)
        to_first = distances_to_first(corners)
        del corners  # as large as the mesh
        later = np.flatnonzero(to_first)
        # Faces that occur several times, first occurrences among them; all other faces stay.
        self._copies = np.union1d(later, later - to_first[later])
        faces = mesh.faces[self._copies]
        # With the smallest corner rotated to the front, the order of the other two is the
        # orientation.
        order = (faces.argmin(axis=1)[:, None] + np.arange(3)) % 3
        rotated = np.take_along_axis(faces, order, axis=1)
        self._sign = np.where(rotated[:, 1] < rotated[:, 2], 1, -1)
        group = (self._copies - to_first[self._copies]).astype(np.int64)
        self._firsts, self._group = np.unique(group, return_inverse=True)
        self._net = np.bincount(self._group, weights=self._sign)[self._group]

    def without_copies(self) -> Bools:
        """(f,) faces to keep: one for each set of corners, oriented like most of its copies.

        If as many copies face one way as the other, they cancel in parity and in winding numbers,
        and all of them stay.
        """
        agreeing = np.flatnonzero((self._net != 0) & (self._sign == np.sign(self._net)))
        _, firsts = np.unique(self._group[agreeing], return_index=True)
        kept = np.ones(len(self._mesh.faces), dtype=bool)
        kept[self._copies] = self._net == 0
        kept[self._copies[agreeing[firsts]]] = True
        return kept

    def without_second_sides(self) -> Bools:
        """(f,) faces to keep: of copies that cancel, only the first one if it closes a surface.

        Programs that draw both sides of a face store it in both orientations. Together these
        enclose nothing. The first copies close a surface if they belong to a closed part once the
        others are left out. Other copies that cancel stay: a sheet of two sides, or the wall
        between two components.
        """
        kept = np.ones(len(self._mesh.faces), dtype=bool)
        kept[self._copies] = (self._net != 0) | np.isin(self._copies, self._firsts)
        if kept.all():
            return kept
        # Numba is imported on first use.
        from geom_miner.mesh.closed_parts import find_closed_parts

        labels = np.full(len(kept), -1)
        labels[kept] = find_closed_parts(
            TriangleMesh(self._mesh.vertices, self._mesh.faces[kept])
        ).labels
        kept[self._copies] |= labels[self._firsts[self._group]] < 0
        return kept
