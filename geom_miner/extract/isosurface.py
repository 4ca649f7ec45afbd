"""Marching cubes on sparse blocks: one closed mesh, held or streamed, whatever the blocks are.

A library supplies the topology, from the signs of the samples alone; positions are ours. Each
vertex belongs to one edge of the sample lattice, and its position is computed from the edge's two
samples by one formula. Vertices are counted before any is made, so each knows its index from
where it lies: nothing is sorted, and the mesh can be written slab by slab.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch

from geom_miner.atomic_files import new_file
from geom_miner.errors import BlockShapeError, MeshError
from geom_miner.extract.cells import (
    Groups,
    Samples,
    count_crossings,
    join_faces,
    number_rows,
    place_vertices,
)
from geom_miner.extract.cube_table import cube_table
from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.samples import SampleGrid
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.mesh.ply_stream import write_ply_slabs
from geom_miner.mesh.triangle_mesh import TriangleMesh

# Blocks that a dense volume is cut into; the mesh does not depend on it.
_DENSE_BLOCK = 16
# Progress is told in so many steps for each round over the blocks.
_ROUND = 1000

OnProgress = Callable[[int, int], None]


class Isosurface:
    """The surface between samples below a level (outside) and the others (inside), as a mesh.

    Samples beyond the grid count as outside, so the mesh is always closed. It is made when asked
    for, in slabs along the first axis; besides the samples only 24 bytes are held for each row
    of samples in the blocks that the level crosses.

    Parameters
    ----------
    blocks : three-dimensional, one channel, higher inside.
    grid : where the samples lie; its shape is the true one, without padding.
    iso_level : taken in float32, as the samples are.
    on_progress : called with (work done, work in all); the work is to count, then to make the
        vertices and the faces of the crossed blocks.

    Attributes
    ----------
    num_vertices, num_faces : counts of the whole mesh.

    Raises
    ------
    BlockShapeError
        The signal is no volume of one channel, or its blocks do not cover the grid.
    """

    def __init__(
        self,
        blocks: SparseBlocks,
        grid: SampleGrid,
        *,
        iso_level: float,
        on_progress: OnProgress | None = None,
    ) -> None:
        if blocks.layout.ndim != 3 or blocks.channels != 1:
            raise BlockShapeError(
                "a mesh needs a signal with 3 axes and 1 channel, "
                f"got {blocks.layout.ndim} axes and {blocks.channels}"
            )
        if any(n > whole for n, whole in zip(grid.shape, blocks.layout.shape, strict=True)):
            raise BlockShapeError(
                f"blocks of {blocks.layout.shape} samples do not cover a grid of {grid.shape}; "
                "give the grid of their own scale"
            )
        self._grid, self._on_progress = grid, on_progress
        self._samples = _samples_of(blocks, grid.shape, float(np.float32(iso_level)))
        self._groups, self._rows, self._first_faces = self._count()
        self._slabs = _slabs_of(self._groups.coordinates)
        self.num_vertices = int(number_rows(self._groups.coordinates, self._rows))
        self.num_faces = int(self._first_faces[-1])

    def _count(self) -> tuple[Groups, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Groups with faces, their rows' counts of vertices, and their first faces."""
        candidates = _groups_to_visit(self._samples)
        size_x, size_y, _ = self._samples.block_shape.tolist()
        # Memory is taken up where something is written, so what stays empty costs none.
        rows = np.empty((len(candidates), size_x, 3, size_y), dtype=np.int64)
        faces = np.empty(len(candidates), dtype=np.int64)
        starts, _ = cube_table()
        kept = [np.empty((0, 3), dtype=np.int64)]
        count = 0
        for slab in _slabs_of(candidates):
            at = candidates[slab]
            fresh = slice(count, count + len(at))
            count_crossings(self._samples, at, starts, rows[fresh], faces[fresh])
            crossed = faces[fresh] > 0
            kept.append(at[crossed])
            count += len(kept[-1])
            rows[fresh.start : count] = rows[fresh][crossed]
            faces[fresh.start : count] = faces[fresh][crossed]
            self._report(0, slab.stop / len(candidates))
        coordinates = np.concatenate(kept)
        slots = np.full([n + 2 for n in self._samples.slots.shape], -1, dtype=np.int32)
        slots[tuple(coordinates.T)] = np.arange(count)
        return Groups(coordinates, slots), rows[:count], np.append(0, np.cumsum(faces[:count]))

    def vertex_slabs(self) -> Iterator[npt.NDArray[np.float64]]:
        """The vertices slab by slab, (v, 3) in world units, in the order of their lattice edges.

        Each is the linear interpolation on its edge, kept 0.001 voxel from its ends. The order is
        that of twice the coordinates of the edges' midpoints, the first axis first.

        Raises
        ------
        MeshError
            Samples beside the surface are not finite.
        """
        firsts = [int(self._rows[slab.start, 0, 0, 0]) for slab in self._slabs]
        for slab, (first, stop) in zip(
            self._slabs, itertools.pairwise([*firsts, self.num_vertices]), strict=True
        ):
            index = np.empty((stop - first, 3))
            place_vertices(self._samples, self._groups, slab, self._rows, index)
            if not np.isfinite(index).all():
                raise MeshError(
                    "the surface passes samples that are NaN or infinite; "
                    "make the signal again from sound data"
                )
            yield self._grid.index_to_world(index)
            self._report(1, slab.stop / len(self._groups.coordinates))

    def face_slabs(self) -> Iterator[npt.NDArray[np.int64]]:
        """The faces slab by slab, (f, 3) indices into all vertices, outward."""
        for slab in self._slabs:
            faces = np.empty(
                (self._first_faces[slab.stop] - self._first_faces[slab.start], 3), dtype=np.int64
            )
            join_faces(
                self._samples, self._groups, slab, cube_table(), self._rows, self._first_faces,
                faces,
            )  # fmt: skip
            yield faces
            self._report(2, slab.stop / len(self._groups.coordinates))

    def _report(self, rounds: int, share: float) -> None:
        if self._on_progress is not None:
            self._on_progress(round(_ROUND * (rounds + share)), 3 * _ROUND)


def extract_mesh(
    blocks: SparseBlocks,
    grid: SampleGrid,
    *,
    iso_level: float,
    on_progress: OnProgress | None = None,
) -> TriangleMesh:
    """Mesh a level of a signal in the grid's world units; see ``Isosurface``.

    Vertices lie in the order of their lattice edges, and neither they nor the set of faces
    depend on how the grid is cut into blocks. An empty level gives a mesh without faces.
    """
    surface = Isosurface(blocks, grid, iso_level=iso_level, on_progress=on_progress)
    vertices = np.empty((surface.num_vertices, 3))
    faces = np.empty((surface.num_faces, 3), dtype=np.int64)
    _fill(vertices, surface.vertex_slabs())
    _fill(faces, surface.face_slabs())
    return TriangleMesh(vertices, faces)


def extract_to_ply(
    path: str | os.PathLike[str],
    blocks: SparseBlocks,
    grid: SampleGrid,
    *,
    iso_level: float,
    comments: Sequence[str] = (),
    on_progress: OnProgress | None = None,
) -> tuple[int, int]:
    """Write the mesh of ``extract_mesh`` without holding it: the bytes of ``write_mesh``.

    Returns
    -------
    Numbers of vertices and faces.

    Raises
    ------
    MeshError
        The file cannot be written; an earlier file of this name is left as it was.
    """
    surface = Isosurface(blocks, grid, iso_level=iso_level, on_progress=on_progress)
    counts = surface.num_vertices, surface.num_faces
    with new_file(path, MeshError) as stream:
        slabs = surface.vertex_slabs(), surface.face_slabs()
        write_ply_slabs(stream, counts, *slabs, comments=comments)
    return counts


def extract_mesh_dense(
    samples: npt.NDArray[np.float32], grid: SampleGrid, *, iso_level: float
) -> TriangleMesh:
    """Mesh a dense volume (x, y, z); see ``extract_mesh``."""
    layout = BlockGrid.covering(grid.shape, (_DENSE_BLOCK,) * len(grid.shape))
    signal = torch.from_numpy(np.ascontiguousarray(samples, dtype=np.float32))[..., None]
    return extract_mesh(SparseBlocks.from_dense(signal, layout), grid, iso_level=iso_level)


def _fill(out: npt.NDArray[np.generic], slabs: Iterable[npt.NDArray[np.generic]]) -> None:
    first = 0
    for slab in slabs:
        out[first : first + len(slab)] = slab
        first += len(slab)


def _samples_of(blocks: SparseBlocks, shape: tuple[int, ...], level: float) -> Samples:
    blocks = blocks.to("cpu")
    return Samples(
        blocks.rows(slice(None))[..., 0].contiguous().numpy(),
        blocks.slots.numpy(),
        blocks.constants[..., 0].float().contiguous().numpy(),
        np.array(blocks.layout.block_shape),
        np.array(shape),
        level,
    )


def _groups_to_visit(samples: Samples) -> npt.NDArray[np.int64]:
    """Coordinates (g, 3), in row-major order, of the groups of cells that may hold a crossing.

    A group reads blocks q - 1 and q on each axis, and there is one group more than blocks.
    """
    level = np.float32(samples.level)
    above = samples.values >= level
    some_inside, some_outside = samples.constants >= level, ~(samples.constants >= level)
    varying = samples.slots >= 0
    rows = samples.slots[varying]
    some_inside[varying] = np.any(above, axis=1)[rows]
    some_outside[varying] = np.any(~above, axis=1)[rows]
    whole_x, whole_y, whole_z = samples.shape // samples.block_shape
    for beyond in np.s_[whole_x:], np.s_[:, whole_y:], np.s_[:, :, whole_z:]:
        some_outside[beyond] = True
    crossed = _any_of_eight(some_inside, beyond=False) & _any_of_eight(some_outside, beyond=True)
    return np.argwhere(crossed)


def _slabs_of(coordinates: npt.NDArray[np.int64]) -> list[slice]:
    """Runs of groups that share the first coordinate."""
    bounds = np.flatnonzero(np.diff(coordinates[:, 0], prepend=-1, append=-1))
    return [slice(a, b) for a, b in itertools.pairwise(bounds.tolist())]


def _any_of_eight(state: npt.NDArray[np.bool_], *, beyond: bool) -> npt.NDArray[np.bool_]:
    """Whether any of the blocks q - 1, q has a state, for every group q: (*counts + 1)."""
    found = np.pad(state, 1, constant_values=beyond)
    for axis in range(3):
        ahead = np.swapaxes(found, 0, axis)
        found = np.swapaxes(ahead[:-1] | ahead[1:], 0, axis)
    return found
