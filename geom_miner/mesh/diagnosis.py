"""Examine a mesh: whether it is closed, and which faults it has, in numbers and in sentences."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.mesh.weld import merge_identical_vertices


@dataclass(frozen=True)
class Diagnosis:
    """Counts over a mesh whose vertices of equal position were merged.

    A face with two equal corners has no area and joins no other face. It counts as degenerate,
    and every count of edges leaves it out.
    """

    vertices: int
    """Vertices as stored, before merging."""
    faces: int
    """Faces as stored."""
    components: int
    """Connected components: faces are connected if they share a vertex."""
    open_edges: int
    """Edges of exactly one face."""
    odd_edges: int
    """Edges of an odd number of faces, open edges among them. Parity leaks at these."""
    nonmanifold_edges: int
    """Edges of more than two faces."""
    misoriented_edges: int
    """Edges of exactly two faces that both run along the edge in the same direction."""
    degenerate_faces: int
    """Faces of zero area."""
    duplicate_faces: int
    """Faces with the same three corners as an earlier face, in any order."""
    closed: bool
    """Every edge has an even number of faces, which is all that parity needs."""
    watertight: bool
    """Every edge has exactly two faces, consistently oriented."""
    volume: float
    """Signed volume in cubed world units; meaningful if closed, > 0 if faces point outwards."""
    area: float
    """Surface area in squared world units; a sheet whose two sides both have faces counts twice."""
    notes: tuple[str, ...] = ()
    """What the reader of the mesh's file left out or had to guess, in sentences."""

    def sentences(self) -> list[str]:
        """The diagnosis in plain words: the verdict, the reader's notes, a sentence per fault."""
        findings = [_verdict(self), *self.notes]
        for count, fault in (
            (self.open_edges, "open edge(s): the surface has holes"),
            (self.nonmanifold_edges, "edge(s) joined by more than two faces"),
            (self.misoriented_edges, "edge(s) where two faces disagree about outside"),
            (self.degenerate_faces, "face(s) without area"),
            (self.duplicate_faces, "duplicate face(s)"),
        ):
            if count:
                findings.append(f"{count:,} {fault}.")
        if self.closed and self.volume < 0:
            findings.append("The faces point inwards; they are treated as if they were flipped.")
        return findings


def _verdict(diagnosis: Diagnosis) -> str:
    size = (
        f"{diagnosis.faces:,} faces and {diagnosis.vertices:,} vertices in "
        f"{diagnosis.components:,} connected component(s)"
    )
    if diagnosis.watertight:
        return f"The mesh is watertight: {size}."
    if diagnosis.closed:
        return f"The mesh is closed but not watertight: {size}."
    return f"The mesh is not closed, so inside is a guess near its holes: {size}."


def diagnose(mesh: TriangleMesh) -> Diagnosis:
    """Examine how the faces of a mesh are joined.

    The examination temporarily takes about two thirds of the mesh's own memory.

    Raises
    ------
    MeshError
        There are more than 2**31 vertices.
    """
    # Numba is imported on first use.
    from geom_miner.mesh.components import count_components
    from geom_miner.mesh.edges import count_edges
    from geom_miner.mesh.measures import measure_mesh

    merged = merge_identical_vertices(mesh)
    num_vertices = len(merged.vertices)
    with ThreadPoolExecutor(1) as pool:
        # Counting components keeps one core busy while the other cores count edges.
        components = pool.submit(count_components, merged.faces, num_vertices)
        edges = count_edges(merged.faces, num_vertices)
        measures = measure_mesh(merged.vertices, merged.faces)
    closed = measures.proper_faces > 0 and not edges.odd_edges
    return Diagnosis(
        vertices=len(mesh.vertices),
        faces=len(mesh.faces),
        components=components.result(),
        **edges._asdict(),
        degenerate_faces=measures.degenerate_faces,
        closed=closed,
        watertight=closed and not edges.nonmanifold_edges and not edges.misoriented_edges,
        volume=measures.volume,
        area=measures.area,
        notes=mesh.notes,
    )
