"""Examine a mesh: whether it is closed, and which faults it has, in numbers and in sentences."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from geom_miner.mesh.far_faces import FarFaces, find_far_faces
from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.mesh.weld import merge_identical_vertices, merge_near_vertices

if TYPE_CHECKING:
    from geom_miner.mesh.components import Components
    from geom_miner.mesh.edges import EdgeCounts
    from geom_miner.mesh.measures import Measures

# Share of the faces that welding may shrink to an edge or a point. More of them show that positions
# close together are no rounding but the size of the faces.
SHRUNK_FACES = 0.01


@dataclass(frozen=True)
class Diagnosis:
    """Counts over a mesh whose vertices of equal position were merged.

    Vertices whose positions differ only by rounding are merged too if that joins faces along edges
    of an odd number of faces; see ``rounded_vertices``.

    A face with two equal corners has no area and joins no other face. It counts as degenerate,
    and every count of edges leaves it out.
    """

    vertices: int
    """Vertices as stored, before merging."""
    faces: int
    """Faces as stored."""
    components: int
    """Connected components: faces are connected if they share a vertex."""
    inverted_components: int
    """Components of negative volume, if they are closed: cavities, and those that face inwards."""
    rounded_vertices: int
    """Vertices that were merged with one whose position differs by rounding, to close edges."""
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
    far: FarFaces | None
    """A few faces far from all others, if there are any."""
    notes: tuple[str, ...] = ()
    """What the reader of the mesh's file left out or had to guess, in sentences."""

    @property
    def encloses_nothing(self) -> bool:
        """Whether the volume is only rounding, as that of a sheet whose two sides coincide."""
        # Numba is imported on first use.
        from geom_miner.mesh.measures import encloses_nothing

        return encloses_nothing(self.volume, self.area)

    @property
    def points_inwards(self) -> bool:
        """Whether the mesh is closed and its faces point inwards."""
        return self.closed and self.volume < 0 and not self.encloses_nothing

    def sentences(self) -> list[str]:
        """The diagnosis in plain words: the verdict, the reader's notes, a sentence per fault."""
        facing = ["The faces point inwards."] if self.points_inwards else []
        return [self.verdict(), *self.faults(), *facing]

    def verdict(self) -> str:
        """Whether the mesh is watertight, or closed, or not, and its size."""
        size = (
            f"{self.faces:,} faces and {self.vertices:,} vertices in "
            f"{self.components:,} connected component(s)"
        )
        return f"The mesh {self.state()}: {size}."

    def state(self) -> str:
        """Whether the mesh is watertight, or closed, or not; continues "the mesh"."""
        if self.watertight:
            return "is watertight"
        if self.closed:
            return "is closed but not watertight"
        if not self.odd_edges:
            return "has no face with an area"
        return "is not closed"

    def faults(self) -> list[str]:
        """The reader's notes, then one sentence for each fault."""
        findings = list(self.notes)
        if self.rounded_vertices:
            findings.append(
                f"{self.rounded_vertices:,} vertices differ from others only by rounding and were "
                "merged with them."
            )
        if self.far:
            findings.append(_about_far_faces(self.far, self.faces))
        for count, fault in (
            (self.open_edges, "open edge(s): the surface has holes or ends there"),
            (self.nonmanifold_edges, "edge(s) joined by more than two faces"),
            (self.misoriented_edges, "edge(s) where two faces disagree about outside"),
            (self.degenerate_faces, "face(s) without area"),
            (self.duplicate_faces, "duplicate face(s)"),
        ):
            if count:
                findings.append(f"{count:,} {fault}.")
        return findings


def _about_far_faces(far: FarFaces, faces: int) -> str:
    place = ", ".join(f"{coordinate:.6g}" for coordinate in far.place)
    return (
        f"{far.faces:,} of {faces:,} faces reach far away from all others, as far as ({place}); "
        f"the others take up only {far.share_of_others:.2g} of the longest side. Remove the far "
        "face(s) if they are stray."
    )


def diagnose(mesh: TriangleMesh) -> Diagnosis:
    """Examine how the faces of a mesh are joined.

    The examination temporarily takes about two thirds of the mesh's own memory.

    Raises
    ------
    MeshError
        There are more than 2**31 vertices.
    """
    merged = merge_identical_vertices(mesh)
    found = _examine(merged)
    rounded = 0
    if found.edges.odd_edges:
        welded = merge_near_vertices(merged)
        if welded is not merged:
            after = _examine(welded)
            least = (1 - SHRUNK_FACES) * found.measures.proper_faces
            if (
                after.edges.odd_edges < found.edges.odd_edges
                and after.measures.proper_faces >= least
            ):
                found, rounded = after, len(merged.vertices) - len(welded.vertices)
    edges, measures = found.edges, found.measures
    closed = measures.proper_faces > 0 and not edges.odd_edges
    return Diagnosis(
        vertices=len(mesh.vertices),
        faces=len(mesh.faces),
        **found.components._asdict(),
        rounded_vertices=rounded,
        **edges._asdict(),
        degenerate_faces=measures.degenerate_faces,
        closed=closed,
        watertight=closed and not edges.nonmanifold_edges and not edges.misoriented_edges,
        volume=measures.volume,
        area=measures.area,
        far=find_far_faces(mesh),
        notes=mesh.notes,
    )


class _Findings(NamedTuple):
    edges: EdgeCounts
    measures: Measures
    components: Components


def _examine(merged: TriangleMesh) -> _Findings:
    # Numba is imported on first use.
    from geom_miner.mesh.components import count_components
    from geom_miner.mesh.edges import count_edges
    from geom_miner.mesh.measures import measure_mesh

    vertices, faces = merged.vertices, merged.faces
    measures = measure_mesh(vertices, faces)
    with ThreadPoolExecutor(1) as pool:
        # Counting components keeps one core busy while the other cores count edges.
        components = pool.submit(count_components, vertices, faces, measures)
        edges = count_edges(faces, len(vertices))
    return _Findings(edges, measures, components.result())
