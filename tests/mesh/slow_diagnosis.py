"""Slow, plain versions of ``diagnose`` and welding, which sort everything with NumPy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from geom_miner.mesh.diagnosis import Diagnosis
from geom_miner.mesh.triangle_mesh import TriangleMesh

Ints = npt.NDArray[np.int64]


def slowly_diagnosed(mesh: TriangleMesh) -> Diagnosis:
    merged = slowly_merged(mesh)
    faces = merged.faces.astype(np.int64)
    a, b, c = faces.T
    proper = faces[(a != b) & (b != c) & (c != a)]
    per_edge, forward = _edge_counts(proper, len(merged.vertices))
    odd_edges = int(np.count_nonzero(per_edge & 1))
    pairs = per_edge == 2
    consistent = forward[pairs] == 1
    areas_zero, area, volume = _areas_and_volume(merged.vertices, proper)
    measures = _component_measures(merged, faces)
    return Diagnosis(
        vertices=len(mesh.vertices),
        faces=len(mesh.faces),
        components=len(measures),
        inverted_components=sum(
            part_volume < -1e-9 * part_area**1.5
            for part_volume, part_area in ([(volume, area)] if len(measures) == 1 else measures)
        ),
        rounded_vertices=0,
        open_edges=int(np.count_nonzero(per_edge == 1)),
        odd_edges=odd_edges,
        nonmanifold_edges=int(np.count_nonzero(per_edge > 2)),
        misoriented_edges=int(np.count_nonzero(~consistent)),
        degenerate_faces=len(faces) - len(proper) + areas_zero,
        duplicate_faces=_count_duplicates(proper),
        closed=bool(len(proper) and not odd_edges),
        watertight=bool(len(proper) and pairs.all() and consistent.all()),
        volume=volume,
        area=area,
        far=None,
    )


def slowly_merged(mesh: TriangleMesh) -> TriangleMesh:
    positions = mesh.vertices + 0.0  # -0.0 + 0.0 is 0.0
    order = np.lexsort(positions.T)
    ordered = positions[order]
    starts = np.ones(len(order), dtype=bool)
    np.any(ordered[1:] != ordered[:-1], axis=1, out=starts[1:])
    # lexsort is stable, so the first of each run is the first occurrence in the mesh.
    representative = np.empty(len(order), dtype=np.int64)
    representative[order] = order[starts][np.cumsum(starts) - 1]
    kept = representative == np.arange(len(order))
    new_index = np.cumsum(kept) - 1
    return TriangleMesh(mesh.vertices[kept], new_index[representative][mesh.faces])


def _areas_and_volume(
    vertices: npt.NDArray[np.float64], faces: Ints, origin: int | None = None
) -> tuple[int, float, float]:
    """Faces without area, area, and volume relative to a vertex, by default that of a face."""
    if not len(faces):
        return 0, 0.0, 0.0
    first = vertices[faces[:, 0]]
    at = vertices[faces[0, 0] if origin is None else origin]
    normals = np.cross(vertices[faces[:, 1]] - first, vertices[faces[:, 2]] - first)
    volume = float(np.einsum("ij,ij->", first - at, normals)) / 6.0
    area = float(np.sqrt(np.einsum("ij,ij->i", normals, normals)).sum()) / 2.0
    return int(np.count_nonzero(~normals.any(axis=1))), area, volume


def _edge_counts(faces: Ints, vertices: int) -> tuple[Ints, Ints]:
    """For each edge: its number of faces, and how many run from its smaller to its larger index."""
    start = faces.reshape(-1)
    stop = np.roll(faces, -1, axis=1).reshape(-1)
    key = (np.minimum(start, stop) * vertices + np.maximum(start, stop)) * 2 + (start < stop)
    key.sort()
    edge, forward = key >> 1, key & 1
    if not len(edge):
        return edge, edge
    first = np.flatnonzero(np.concatenate([[True], edge[1:] != edge[:-1]]))
    counts = np.diff(first, append=len(edge))
    return counts.astype(np.int64), np.add.reduceat(forward, first)


def _count_duplicates(faces: Ints) -> int:
    ordered = np.sort(faces, axis=1)
    ordered = ordered[np.lexsort(ordered.T)]
    return int(np.count_nonzero((ordered[1:] == ordered[:-1]).all(axis=1)))


def _component_measures(merged: TriangleMesh, faces: Ints) -> list[tuple[float, float]]:
    """Volume and area of each connected component."""
    if not len(faces):
        return []
    count = len(merged.vertices)
    links = np.concatenate([faces[:, :2], faces[:, 1:]])
    ones = np.ones(len(links), dtype=np.int8)
    graph = coo_array((ones, (links[:, 0], links[:, 1])), shape=(count, count))
    _, labels = connected_components(graph.tocsr(), directed=False)
    of_face = labels[faces[:, 0]]
    measures = []
    for label in np.unique(of_face):
        part = faces[of_face == label]
        # The volume of an open component depends on the origin.
        _, area, volume = _areas_and_volume(merged.vertices, part, origin=int(part.min()))
        measures.append((volume, area))
    return measures
