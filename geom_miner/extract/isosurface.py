"""Marching cubes on sparse blocks: one closed mesh, in memory or streamed to a file.

The mesh does not depend on how the samples are cut into blocks. The topology comes from the table
of a library, by the signs of the samples alone; positions are computed here. Each vertex belongs
to one edge of the sample lattice, and its position is computed from the edge's two samples by one
formula. All vertices are counted before any is placed, so the index of a vertex follows from its
edge. Nothing is sorted, and the mesh can be written slab by slab.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch

from geom_miner.atomic_files import new_file
from geom_miner.compile_notice import announce_compiling
from geom_miner.errors import BlockShapeError, EmptySurfaceError, MeshError
from geom_miner.extract.cell_faces import join_faces
from geom_miner.extract.cell_groups import Groups, SampledBlocks
from geom_miner.extract.cell_vertices import count_crossings, number_rows, place_vertices
from geom_miner.extract.cube_table import cube_table
from geom_miner.grid.blocks import BlockGrid
from geom_miner.grid.samples import SampleGrid
from geom_miner.grid.sparse import SparseBlocks
from geom_miner.mesh.formats.ply_writer import write_ply_slabs
from geom_miner.mesh.precision import grid_needs_double
from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.progress import Progress, silent

# Samples along an edge of the blocks of a dense volume. The mesh does not depend on it.
_DENSE_BLOCK = 16
# Passes over the blocks: count, place vertices, join faces.
_PASSES = 3


class Isosurface:
    """The surface between samples below an iso level (outside) and all others (inside), as a mesh.

    Samples beyond the grid count as outside, so the mesh is always closed. Vertices and faces are
    made on demand, in slabs along the first axis. Besides the samples, only 24 bytes are kept for
    each row of samples in the blocks that the iso level crosses.

    Parameters
    ----------
    blocks : three-dimensional, one channel, higher inside.
    grid : positions of the samples; its shape is the true one, without padding.
    iso_level : value of the surface, rounded to float32 like the samples.
    progress : called with the share of the work done, in (0, 1]: first counting, then making the
        vertices and the faces.

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
        progress: Progress = silent,
    ) -> None:
        if blocks.layout.ndim != 3 or blocks.channels != 1:
            raise BlockShapeError(
                "the signal of a mesh must have 3 axes and 1 channel, "
                f"got {blocks.layout.ndim} axes and {blocks.channels}"
            )
        if any(n > whole for n, whole in zip(grid.shape, blocks.layout.shape, strict=True)):
            raise BlockShapeError(
                f"blocks must cover the grid of {grid.shape} samples, got blocks of "
                f"{blocks.layout.shape}; give the grid of their own scale"
            )
        self._grid, self._progress = grid, progress
        self._samples = _as_samples(blocks, grid.shape, float(np.float32(iso_level)))
        self._groups, self._rows, self._first_faces = self._count()
        self._slabs = _split_into_slabs(self._groups.coordinates)
        self.num_vertices = int(number_rows(self._groups.coordinates, self._rows))
        self.num_faces = int(self._first_faces[-1])

    def _count(self) -> tuple[Groups, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The groups that have faces, their rows' vertex counts, and their first faces."""
        candidates = _candidate_groups(self._samples)
        size_x, size_y, _ = self._samples.block_shape.tolist()
        # Memory pages are allocated when they are written, so unused rows at the end cost nothing.
        rows = np.empty((len(candidates), size_x, 3, size_y), dtype=np.int64)
        faces = np.empty(len(candidates), dtype=np.int64)
        starts, _ = cube_table()
        kept = [np.empty((0, 3), dtype=np.int64)]
        count = 0
        for slab in _split_into_slabs(candidates):
            at = candidates[slab]
            added = slice(count, count + len(at))
            count_crossings(self._samples, at, starts, rows[added], faces[added])
            crossed = faces[added] > 0
            kept.append(at[crossed])
            count += len(kept[-1])
            rows[added.start : count] = rows[added][crossed]
            faces[added.start : count] = faces[added][crossed]
            self._report(0, slab.stop / len(candidates))
        coordinates = np.concatenate(kept)
        slots = np.full([n + 2 for n in self._samples.slots.shape], -1, dtype=np.int32)
        slots[tuple(coordinates.T)] = np.arange(count)
        return Groups(coordinates, slots), rows[:count], np.append(0, np.cumsum(faces[:count]))

    def vertex_slabs(self) -> Iterator[npt.NDArray[np.float64]]:
        """The vertices slab by slab, (v, 3) in world units, in the order of their lattice edges.

        A vertex lies where linear interpolation along its edge gives the iso level, but at least
        0.001 voxel from both ends. Edges are ordered by the coordinates of their midpoints, by the
        first axis first.

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
                    "samples at the surface must be finite, got NaN or infinite ones; "
                    "make the signal again from sound data"
                )
            yield self._grid.index_to_world(index)
            self._report(1, slab.stop / len(self._groups.coordinates))

    def face_slabs(self) -> Iterator[npt.NDArray[np.int64]]:
        """The faces slab by slab, (f, 3) indices into all vertices, facing outwards."""
        first_faces = self._first_faces
        for slab in self._slabs:
            count = first_faces[slab.stop] - first_faces[slab.start]
            faces = np.empty((count, 3), dtype=np.int64)
            join_faces(
                self._samples, self._groups, slab, cube_table(), self._rows, first_faces, faces
            )
            yield faces
            self._report(2, slab.stop / len(self._groups.coordinates))

    def _report(self, passes_done: int, share: float) -> None:
        self._progress((passes_done + share) / _PASSES)


@announce_compiling("marching cubes", 20)
def extract_mesh(
    blocks: SparseBlocks,
    grid: SampleGrid,
    *,
    iso_level: float,
    progress: Progress = silent,
) -> TriangleMesh:
    """Mesh the isosurface of a signal, in the grid's world units; see ``Isosurface``.

    Vertices are in the order of their lattice edges. Neither the vertices nor the set of faces
    depend on how the grid is cut into blocks. If no sample is inside, the mesh has no faces.
    """
    surface = Isosurface(blocks, grid, iso_level=iso_level, progress=progress)
    vertices = np.empty((surface.num_vertices, 3))
    faces = np.empty((surface.num_faces, 3), dtype=np.int64)
    _fill(vertices, surface.vertex_slabs())
    _fill(faces, surface.face_slabs())
    return TriangleMesh(vertices, faces)


@announce_compiling("marching cubes", 20)
def extract_to_ply(
    path: str | os.PathLike[str],
    blocks: SparseBlocks,
    grid: SampleGrid,
    *,
    iso_level: float,
    comments: Sequence[str] = (),
    progress: Progress = silent,
) -> tuple[int, int]:
    """Write the mesh of ``extract_mesh`` as PLY, without ever holding it in memory.

    The file's bytes are those of ``write_mesh``, with float64 positions where float32's step
    exceeds a hundredth of a voxel.

    Returns
    -------
    Numbers of vertices and faces.

    Raises
    ------
    EmptySurfaceError
        No sample is inside, so the mesh would have no faces.
    MeshError
        The file cannot be written. An earlier file of this name is left as it was, as it is after
        every error.
    """
    surface = Isosurface(blocks, grid, iso_level=iso_level, progress=progress)
    counts = surface.num_vertices, surface.num_faces
    if not surface.num_faces:
        raise EmptySurfaceError(
            f"{path} would have no faces: no sample reaches the iso level {iso_level:g}"
        )
    with new_file(path, MeshError) as stream:
        slabs = surface.vertex_slabs(), surface.face_slabs()
        write_ply_slabs(stream, counts, *slabs, comments=comments, double=grid_needs_double(grid))
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


def _as_samples(blocks: SparseBlocks, shape: tuple[int, ...], iso_level: float) -> SampledBlocks:
    blocks = blocks.to("cpu")
    return SampledBlocks(
        blocks.rows(slice(None))[..., 0].contiguous().numpy(),
        blocks.slots.numpy(),
        blocks.constants[..., 0].float().contiguous().numpy(),
        np.array(blocks.layout.block_shape),
        np.array(shape),
        iso_level,
    )


def _candidate_groups(samples: SampledBlocks) -> npt.NDArray[np.int64]:
    """Coordinates (g, 3), in row-major order, of the groups of cells that may hold a crossing.

    A group reads blocks q - 1 and q on each axis, and there is one group more than blocks.
    """
    iso_level = np.float32(samples.iso_level)
    above = samples.values >= iso_level
    some_inside = samples.constants >= iso_level
    some_outside = ~some_inside
    varying = samples.slots >= 0
    rows = samples.slots[varying]
    some_inside[varying] = np.any(above, axis=1)[rows]
    some_outside[varying] = np.any(~above, axis=1)[rows]
    whole_x, whole_y, whole_z = samples.shape // samples.block_shape
    for beyond in np.s_[whole_x:], np.s_[:, whole_y:], np.s_[:, :, whole_z:]:
        some_outside[beyond] = True
    crossed = _any_block_read(some_inside, beyond=False) & _any_block_read(
        some_outside, beyond=True
    )
    return np.argwhere(crossed)


def _split_into_slabs(coordinates: npt.NDArray[np.int64]) -> list[slice]:
    """Runs of groups that share their first coordinate."""
    bounds = np.flatnonzero(np.diff(coordinates[:, 0], prepend=-1, append=-1))
    return [slice(a, b) for a, b in itertools.pairwise(bounds.tolist())]


def _any_block_read(state: npt.NDArray[np.bool_], *, beyond: bool) -> npt.NDArray[np.bool_]:
    """Whether any of the 8 blocks that a group reads has a state, for all groups: (*counts + 1).

    Blocks beyond the grid have the state ``beyond``.
    """
    result = np.pad(state, 1, constant_values=beyond)
    for axis in range(3):
        axis_first = np.swapaxes(result, 0, axis)
        result = np.swapaxes(axis_first[:-1] | axis_first[1:], 0, axis)
    return result
