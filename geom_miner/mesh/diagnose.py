"""What is right and wrong with a mesh, in numbers and in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.mesh.weld import merge_identical_vertices

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Diagnosis:
    """Counts over a mesh after vertices of equal position were merged.

    Faces with two equal corners cover nothing and join nothing; they count as degenerate and are
    left out of everything about edges.
    """

    vertices: int
    """Vertices as stored, before merging."""
    faces: int
    """Faces as stored."""
    parts: int
    """Connected components of faces over shared vertices."""
    open_edges: int
    """Edges of exactly one face."""
    odd_edges: int
    """Edges of an odd number of faces, the open ones among them: where parity leaks."""
    nonmanifold_edges: int
    """Edges of more than two faces."""
    misoriented_edges: int
    """Edges of exactly two faces that run along it in the same direction."""
    degenerate_faces: int
    """Faces of zero area."""
    duplicate_faces: int
    """Faces whose three corners occurred before, in any order."""
    closed: bool
    """Every edge has an even number of faces: all that parity needs to be consistent."""
    watertight: bool
    """Every edge has exactly two faces, consistently oriented."""
    volume: float
    """Signed volume in cubed world units; meaningful if closed, > 0 if faces point outwards."""
    area: float
    """Surface area in squared world units, of both sides of a sheet if both have faces."""

    def sentences(self) -> list[str]:
        """The findings in plain words, the verdict first."""
        findings = [_verdict(self)]
        for count, what in (
            (self.open_edges, "open edge(s): the surface has holes"),
            (self.nonmanifold_edges, "edge(s) joined by more than two faces"),
            (self.misoriented_edges, "edge(s) where two faces disagree about outside"),
            (self.degenerate_faces, "face(s) without area"),
            (self.duplicate_faces, "repeated face(s)"),
        ):
            if count:
                findings.append(f"{count:,} {what}.")
        if self.closed and self.volume < 0:
            findings.append("The faces point inwards; they are taken as if turned outwards.")
        return findings


def _verdict(d: Diagnosis) -> str:
    size = f"{d.faces:,} faces and {d.vertices:,} vertices in {d.parts:,} part(s)"
    if d.watertight:
        return f"The mesh is watertight: {size}."
    if d.closed:
        return f"The mesh is closed but not cleanly so: {size}."
    return f"The mesh is not closed, so inside is a guess near its holes: {size}."


def diagnose(mesh: TriangleMesh) -> Diagnosis:
    """Examine how the faces of a mesh are joined."""
    merged = merge_identical_vertices(mesh)
    faces = merged.faces.astype(np.int64)
    a, b, c = faces.T
    proper = faces[(a != b) & (b != c) & (c != a)]
    per_edge, forward = _edge_counts(proper, len(merged.vertices))
    odd_edges = int(np.count_nonzero(per_edge & 1))
    pairs = per_edge == 2
    consistent = forward[pairs] == 1
    areas_zero, area, volume = _areas_and_volume(merged.vertices, proper)
    return Diagnosis(
        vertices=len(mesh.vertices),
        faces=len(mesh.faces),
        parts=_count_parts(faces, len(merged.vertices)),
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
    )


def _areas_and_volume(vertices: npt.NDArray[np.float64], faces: Ints) -> tuple[int, float, float]:
    """Number of faces without area, the area, and the signed volume by the divergence theorem."""
    if not len(faces):
        return 0, 0.0, 0.0
    first = vertices[faces[:, 0]]
    normals = np.cross(vertices[faces[:, 1]] - first, vertices[faces[:, 2]] - first)
    # Around a vertex of the mesh, so that a mesh far from the origin keeps its digits.
    volume = float(np.einsum("ij,ij->", first - first[0], normals)) / 6.0
    area = float(np.sqrt(np.einsum("ij,ij->i", normals, normals)).sum()) / 2.0
    return int(np.count_nonzero(~normals.any(axis=1))), area, volume


def _edge_counts(faces: Ints, vertices: int) -> tuple[Ints, Ints]:
    """Per distinct edge: faces at it, and how many run from its smaller to its larger index."""
    start = faces.reshape(-1)
    stop = np.roll(faces, -1, axis=1).reshape(-1)
    # One integer per edge, direction in the lowest bit, so that one plain sort groups them.
    key = (np.minimum(start, stop) * vertices + np.maximum(start, stop)) * 2 + (start < stop)
    key.sort()
    edge, forward = key >> 1, key & 1
    first = np.flatnonzero(np.concatenate([[True], edge[1:] != edge[:-1]]))
    if not len(edge):
        return edge, edge
    counts = np.diff(first, append=len(edge))
    return counts.astype(np.int64), np.add.reduceat(forward, first)


def _count_duplicates(faces: Ints) -> int:
    ordered = np.sort(faces, axis=1)
    ordered = ordered[np.lexsort(ordered.T)]
    return int(np.count_nonzero((ordered[1:] == ordered[:-1]).all(axis=1)))


def _count_parts(faces: Ints, vertices: int) -> int:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not len(faces):
        return 0
    links = np.concatenate([faces[:, :2], faces[:, 1:]])
    ones = np.ones(len(links), dtype=np.int8)
    graph = coo_array((ones, (links[:, 0], links[:, 1])), shape=(vertices, vertices))
    _, labels = connected_components(graph.tocsr(), directed=False)
    return len(np.unique(labels[faces[:, 0]]))
