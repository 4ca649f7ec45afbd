"""Report how a mesh was voxelized and what was found, in numbers and in sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from geom_miner.mesh.diagnosis import Diagnosis
from geom_miner.voxelize.settings import InsideTest

Method = Literal["parity", "direction", "majority", "majority+winding", "winding", "embree"]

_METHOD_PHRASES: dict[Method, str] = {
    "parity": "by counting crossings along z",
    "direction": "by counting crossings along z with their directions",
    "majority": "by a vote of the crossings along x, y and z",
    "majority+winding": "by the crossings along x, y and z, and by winding numbers where the axes "
    "disagree",
    "winding": "by winding numbers",
    "embree": "by a vote of Embree rays",
}

# The inside is called a guess if the axes disagree on more samples than this, per sample inside.
MANY_DISPUTED = 0.5

# Far faces are the reason why nothing is inside if the others are at most this many samples long.
FEW_SAMPLES = 4


@dataclass(frozen=True)
class VoxelizeReport:
    """How a mesh was voxelized, and what was found."""

    requested: InsideTest
    """The inside test of the settings."""
    method: Method
    """The test that decided what is inside; "direction" counts signed crossings."""
    reason: str
    """The reason for this method, in plain words."""
    resolution: int
    """Samples along each side of the cube."""
    columns: int
    """Columns of samples that the surface crosses, over all axes that were cast."""
    odd_columns: int
    """Columns with an odd number of crossings: 0 for a closed mesh."""
    unbalanced_columns: int
    """Columns that enter and leave the surface unequally often: 0 for a closed mesh that is
    consistently oriented, and 0 if directions were not used."""
    crossings: int
    """Crossings of columns and surface, over all axes that were cast."""
    overlap_samples: int
    """Samples in an even number of overlapping or nested solids, the most of any axis that was
    cast: inside by the directions of the crossings, outside by parity."""
    disputed_samples: int
    """Samples on which the axes that were cast disagree."""
    winding_samples: int
    """Samples that were decided by winding numbers."""
    spacing: float
    """Distance of neighboring samples, in world units."""
    inside_fraction: float
    """Share of the cube's samples that are inside."""
    thickness: float
    """Mean thickness of the inside, in samples: twice its volume over the surface's area."""
    mixed_blocks: int
    """Blocks with samples inside and samples outside."""
    duplicates_removed: int
    """Duplicate faces that were removed because they made the mesh leak."""
    second_sides_removed: int
    """Faces that were removed because they only gave another face a second side."""
    faces_flipped: int
    """Faces that were flipped to agree with their neighbors about outside."""
    components_flipped: int
    """Closed components that were flipped to agree with the others about outside."""
    seconds: float
    """Time of voxelizing in seconds, without compiling and the diagnosis."""
    diagnosis: Diagnosis
    """Diagnosis of the mesh before it was repaired."""
    repaired: Diagnosis
    """Diagnosis of the repaired mesh, whose inside was found."""

    @property
    def disputed_fraction(self) -> float:
        """Share of the cube's samples on which the axes that were cast disagree."""
        return self.disputed_samples / self.resolution**3

    def sentences(self) -> list[str]:
        """The report in plain words: what was done and why, which samples are uncertain, faults."""
        return [
            f"Voxelized at {self.resolution}^3 in {self.seconds:.2f} s "
            "(compiling and diagnosis not counted) "
            f"{_METHOD_PHRASES[self.method]}: {_share(self.inside_fraction)} inside, "
            f"{self.mixed_blocks:,} blocks at the surface.",
            f"{self.reason[0].upper()}{self.reason[1:]}.",
            *self._about_repairs(),
            *self._about_columns(),
            *self._about_disputes(),
            *self._about_result(),
            *self._about_mesh(),
        ]

    def why_empty(self) -> str:
        """The reason why no sample is inside, and a remedy; continues "no sample is inside"."""
        mesh = self.repaired
        if mesh.far and mesh.far.share_of_others * self.resolution < FEW_SAMPLES:
            return (
                f"{mesh.far.faces:,} face(s) lie so far away that all others fall between "
                "samples; remove the far face(s) if they are stray, or raise the resolution"
            )
        if not mesh.closed:
            return (
                "the surface is open, a sheet rather than a solid, or it is thinner than samples "
                "lie apart; close it, or raise the resolution"
            )
        if mesh.encloses_nothing:
            return (
                "the surface is a shell of zero thickness, whose two sides coincide, so it "
                "encloses nothing at any resolution; give it thickness"
            )
        thickness = 2 * abs(mesh.volume) / (mesh.area * self.spacing)
        return (
            f"what the surface encloses is {thickness:.2g} samples thick on average and falls "
            "between samples; raise the resolution"
        )

    def _about_repairs(self) -> list[str]:
        lines = []
        for count, repair in (
            (self.duplicates_removed, "duplicate face(s) were removed"),
            (
                self.second_sides_removed,
                "face(s) that repeat another face from its other side were removed, where that "
                "leaves a closed surface",
            ),
            (self.faces_flipped, "face(s) were flipped to agree with their neighbors"),
            (
                self.components_flipped,
                "closed component(s) that face the other way than the rest were flipped",
            ),
        ):
            if count:
                lines.append(f"{count:,} {repair}.")
        if self.repaired.points_inwards:
            lines.append("The faces point inwards; they are treated as if they were flipped.")
        return lines

    def _about_columns(self) -> list[str]:
        lines = []
        if self.odd_columns:
            one_axis = self.method in ("parity", "direction")
            consequence = (
                "samples behind the last crossing count as outside."
                if one_axis
                else "where this matters the axes disagree."
            )
            lines.append(
                f"{self.odd_columns:,} of {self.columns:,} columns meet the surface an odd number "
                f"of times, as happens at holes; {consequence}"
            )
        if self.unbalanced_columns > self.odd_columns:
            where = "flipped faces" if self.repaired.closed else "holes and at flipped faces"
            lines.append(
                f"{self.unbalanced_columns:,} of {self.columns:,} columns enter and leave the "
                f"surface unequally often, as happens at {where}."
            )
        if self.method == "direction":
            lines.append(
                f"{self._count_and_share(self.overlap_samples)} lie in solids that overlap or are "
                "nested with the same orientation: inside by the directions of the crossings, "
                "outside by parity."
            )
        return lines

    def _about_disputes(self) -> list[str]:
        lines = []
        if self.disputed_samples:
            line = f"The axes disagree on {self._count_and_share(self.disputed_samples)}; "
            if self.winding_samples:
                lines.append(line + "there the winding number decides.")
            elif self.requested == "majority":
                lines.append(line + "there two of three axes decide.")
            else:
                lines.append(
                    line + "there two of three axes decide. Winding numbers would be more reliable "
                    "and need libigl: install geom_miner[eval]."
                )
        if self.winding_samples > self.disputed_samples:
            lines.append(
                f"{self._count_and_share(self.winding_samples)} in all were decided by winding "
                "number, among them columns through holes, where the axes agree but may all be "
                "wrong."
            )
        return lines

    def _about_result(self) -> list[str]:
        if not self.inside_fraction:
            return [f"No sample is inside: {self.why_empty()}."]
        lines = []
        if self.disputed_fraction > MANY_DISPUTED * self.inside_fraction:
            cause = (
                "its faces do not agree about what is outside"
                if self.repaired.closed
                else "it has large holes, or it is an open surface rather than a solid"
            )
            lines.append(
                "The axes disagree on more than half as many samples as are inside: the inside of "
                f"the mesh is a guess, because {cause}."
            )
        if self.thickness < 1:
            remedy = "remove the far faces" if self.repaired.far else "raise the resolution"
            lines.append(
                f"The inside is {self.thickness:.2g} samples thick on average, so much of what the "
                f"surface encloses falls between samples; {remedy}."
            )
        return lines

    def _about_mesh(self) -> list[str]:
        given, tested = self.diagnosis, self.repaired
        lines = [given.verdict(), *given.faults()]
        if tested.state() != given.state():
            lines[0] = lines[0].replace("The mesh", "As stored, the mesh", 1)
            lines.append(f"After the repairs named above it {tested.state()}.")
        if not tested.closed and self.inside_fraction:
            where = "holes" if tested.open_edges else "edges with an odd number of faces"
            lines.append(f"Inside is a guess near its {where}.")
        return lines

    def _count_and_share(self, samples: int) -> str:
        return f"{samples:,} samples ({_share(samples / self.resolution**3)} of the cube)"


def _share(fraction: float) -> str:
    """A share in percent; one that is not 0 never reads as 0."""
    return "less than 0.01%" if 0 < fraction < 5e-5 else f"{fraction:.2%}"
