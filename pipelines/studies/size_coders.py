"""Other ways to store a triangle mesh in few bytes: mesh coders and decimators.

Each needs an optional package, which is loaded on first use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from eval import load_open3d
from eval.isolation import in_own_process
from geom_miner import TriangleMesh, decimate
from geom_miner.errors import missing_extra

MeshCoder = Callable[[TriangleMesh, int], tuple[int, TriangleMesh]]
"""From a mesh and bits of a coordinate to the bytes of a file and the mesh that it decodes to."""

Decimator = Callable[[TriangleMesh, Sequence[int]], Iterator[TriangleMesh]]
"""From a mesh and numbers of faces, descending, to a mesh of about each number."""

# Side of the meshes that decimators get. Open3D places a vertex where a quadric is smallest only if
# its determinant is above 1e-4, and thresholds of fast-simplification are absolute too: with a side
# of 1 the mean distance of Lucy with 8,000 faces is 0.110 and 0.142 voxel of 256^3, with one of
# 1,000 0.068 and 0.078. Between 100 and 10,000 it differs by 4 %.
_SIDE = 1000.0
# Share of the faces that a step of decimation keeps: the fourth root of a half.
_SHARE_KEPT = 0.5**0.25

Arrays = tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]


def draco(mesh: TriangleMesh, bits: int) -> tuple[int, TriangleMesh]:
    """Code a mesh by Draco at its highest compression level."""
    try:
        import DracoPy
    except ImportError as error:
        raise missing_extra("Draco needs the package DracoPy", "size") from error
    data = DracoPy.encode(
        mesh.vertices.astype(np.float32),
        faces=mesh.faces.astype(np.uint32),
        quantization_bits=bits,
        compression_level=10,
    )
    decoded = DracoPy.decode(data)
    return len(data), _mesh_of(decoded.points, decoded.faces)


def meshoptimizer(mesh: TriangleMesh, bits: int) -> tuple[int, TriangleMesh]:
    """Code quantized vertices and triangles by meshoptimizer, and what it makes of them by zstd.

    meshoptimizer's buffers are meant to be compressed once more by a general coder.
    """
    try:
        import meshopt
    except ImportError as error:
        raise missing_extra("meshoptimizer needs the package meshopt", "size") from error
    low, high = mesh.bounds
    largest = (1 << bits) - 1
    step = float((high - low).max()) / largest
    steps = np.rint((mesh.vertices - low) / step).astype(np.uint16)
    faces, places, used = meshopt.reorder_mesh(mesh.faces.astype(np.uint32), True, True)
    # Four numbers each, since rows must be whole multiples of 4 bytes; zeros cost nothing.
    rows = np.zeros((used, 4), np.uint16)
    is_used = places < used
    # A decimated mesh may end in vertices that no face uses; these have no place.
    rows[places[is_used], :3] = steps[: len(places)][is_used]
    coded_rows = meshopt.encode_vertex_buffer_level(rows, 3)
    coded_faces = meshopt.encode_index_buffer(faces)
    vertices = meshopt.decode_vertex_buffer(coded_rows, used, 8).view(np.uint16).reshape(-1, 4)
    triangles = meshopt.decode_index_buffer(coded_faces, len(faces), 4).view(np.uint32)
    return len(zstd(coded_rows + coded_faces)), _mesh_of(
        vertices[:, :3] * step + low, triangles.reshape(-1, 3)
    )


def zstd(data: bytes) -> bytes:
    """Compress bytes by zstd at a high level."""
    try:
        import zstandard
    except ImportError as error:
        raise missing_extra("zstd needs the package zstandard", "size") from error
    return zstandard.ZstdCompressor(level=19).compress(data)


def decimated(mesh: TriangleMesh, counts: Sequence[int], decimator: str) -> Iterator[TriangleMesh]:
    """Decimate a mesh by a decimator to each number of faces, or as far as it goes.

    Between two numbers the mesh is decimated again and again, to a sixth fewer faces each time. So
    a quadric adds up few planes, which comes nearer: by Open3D the mean distance of Lucy with 8,000
    faces falls from 0.068 to 0.053 voxel of 256^3.

    Parameters
    ----------
    mesh : around the origin, its longest side 1.
    counts : numbers of faces, descending.
    """
    large = TriangleMesh(mesh.vertices * _SIDE, mesh.faces)
    for fewer in DECIMATORS[decimator](large, counts):
        yield TriangleMesh(fewer.vertices / _SIDE, fewer.faces)


def by_libigl(mesh: TriangleMesh, counts: Sequence[int]) -> Iterator[TriangleMesh]:
    """Decimate by ``geom_miner.decimate``, which takes closed meshes only."""
    return _stepwise(mesh, counts, decimate)


def by_fast_simplification(mesh: TriangleMesh, counts: Sequence[int]) -> Iterator[TriangleMesh]:
    """Decimate by the package fast-simplification."""
    try:
        import fast_simplification
    except ImportError as error:
        raise missing_extra("decimating needs fast-simplification", "size") from error

    def step(whole: TriangleMesh, count: int) -> TriangleMesh:
        vertices, faces = whole.vertices.astype(np.float32), whole.faces.astype(np.int32)
        return _mesh_of(*fast_simplification.simplify(vertices, faces, target_count=count))

    return _stepwise(mesh, counts, step)


def by_open3d(mesh: TriangleMesh, counts: Sequence[int]) -> Iterator[TriangleMesh]:
    """Decimate by Open3D's quadric decimation, in a process of its own."""
    found = in_own_process(_open3d_meshes, mesh.vertices, mesh.faces, tuple(counts))
    return (_mesh_of(*arrays) for arrays in found)


def _open3d_meshes(
    vertices: npt.NDArray[np.float64], faces: npt.NDArray[np.integer], counts: Sequence[int]
) -> list[Arrays]:
    open3d = load_open3d()

    def step(whole: TriangleMesh, count: int) -> TriangleMesh:
        mesh = open3d.geometry.TriangleMesh(
            open3d.utility.Vector3dVector(whole.vertices),
            open3d.utility.Vector3iVector(whole.faces.astype(np.int32)),
        ).simplify_quadric_decimation(count)
        return _mesh_of(np.asarray(mesh.vertices), np.asarray(mesh.triangles))

    meshes = _stepwise(_mesh_of(vertices, faces), counts, step)
    return [(mesh.vertices, mesh.faces.astype(np.int64)) for mesh in meshes]


def _stepwise(
    mesh: TriangleMesh, counts: Sequence[int], step: Callable[[TriangleMesh, int], TriangleMesh]
) -> Iterator[TriangleMesh]:
    for count in counts:
        while len(mesh.faces) > count:
            before = len(mesh.faces)
            mesh = step(mesh, max(count, int(_SHARE_KEPT * before)))
            if len(mesh.faces) == before:
                # The topology needs them all.
                return
        yield mesh


def _mesh_of(vertices: npt.NDArray[np.floating], faces: npt.NDArray[np.integer]) -> TriangleMesh:
    return TriangleMesh(vertices.astype(np.float64), faces.astype(np.int64))


CODERS: dict[str, MeshCoder] = {"Draco": draco, "meshoptimizer": meshoptimizer}
"""Mesh coders by name."""

DECIMATORS: dict[str, Decimator] = {
    "Open3D": by_open3d,
    "libigl": by_libigl,
    "fast-simplification": by_fast_simplification,
}
"""Decimators by name."""
