"""What is right and wrong with a mesh, in numbers and in words."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.mesh.weld import merge_identical_vertices


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
    """Examine how the faces of a mesh are joined.

    Takes about two thirds of the memory of the mesh for a while.

    Raises
    ------
    MeshError
        There are more than 2**31 vertices.
    """
    # Numba is imported on first use.
    from geom_miner.mesh.edges import count_edges
    from geom_miner.mesh.measures import measure
    from geom_miner.mesh.parts import count_parts

    merged = merge_identical_vertices(mesh)
    with ThreadPoolExecutor(1) as pool:
        # The work of one core, while the others do the rest.
        parts = pool.submit(count_parts, merged.faces, len(merged.vertices))
        edges = count_edges(merged.faces, len(merged.vertices))
        measures = measure(merged.vertices, merged.faces)
    closed = measures.proper_faces > 0 and not edges.odd_edges
    return Diagnosis(
        vertices=len(mesh.vertices),
        faces=len(mesh.faces),
        parts=parts.result(),
        **edges._asdict(),
        degenerate_faces=measures.degenerate_faces,
        closed=closed,
        watertight=closed and not edges.nonmanifold_edges and not edges.misoriented_edges,
        volume=measures.volume,
        area=measures.area,
    )
