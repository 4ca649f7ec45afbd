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

# A mesh is called an open surface if it has more disputed samples than this, per sample inside.
OPEN_SURFACE = 0.5

# A closed mesh has no thickness if its volume over area**1.5 is at most this. Such a volume is only
# rounding; no grid could show a wall so thin.
NO_THICKNESS = 1e-9


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
    inside_fraction: float
    """Share of the cube's samples that are inside."""
    thickness: float
    """Mean thickness of the inside, in samples: twice its volume over the surface's area."""
    mixed_blocks: int
    """Blocks with samples inside and samples outside."""
    duplicates_removed: int
    """Duplicate faces that were removed because they made the mesh leak."""
    faces_flipped: int
    """Faces that were flipped to agree with their neighbors about outside."""
    seconds: float
    """Time of voxelizing in seconds, without compiling and the diagnosis."""
    diagnosis: Diagnosis
    """Diagnosis of the mesh before it was repaired."""

    @property
    def disputed_fraction(self) -> float:
        """Share of the cube's samples on which the axes that were cast disagree."""
        return self.disputed_samples / self.resolution**3

    def sentences(self) -> list[str]:
        """The report in plain words: what was done and why, which samples are uncertain, faults."""
        return [
            f"Voxelized at {self.resolution}^3 in {self.seconds:.2f} s "
            "(compiling and diagnosis not counted) "
            f"{_METHOD_PHRASES[self.method]}: {self.inside_fraction:.2%} inside, "
            f"{self.mixed_blocks:,} blocks at the surface.",
            f"{self.reason[0].upper()}{self.reason[1:]}.",
            *self._about_columns(),
            *self._about_disputes(),
            *self._about_result(),
            *self.diagnosis.sentences(),
        ]

    def _about_columns(self) -> list[str]:
        lines = []
        if self.duplicates_removed:
            lines.append(f"{self.duplicates_removed:,} duplicate face(s) were removed.")
        if self.faces_flipped:
            lines.append(
                f"{self.faces_flipped:,} face(s) were flipped to agree with their neighbors."
            )
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
            lines.append(
                f"{self.unbalanced_columns:,} of {self.columns:,} columns enter and leave the "
                "surface unequally often, as happens at holes and at flipped faces."
            )
        if self.overlap_samples:
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
            return [f"No sample is inside: {self._why_empty()}."]
        lines = []
        if self.disputed_fraction > OPEN_SURFACE * self.inside_fraction:
            lines.append(
                "The axes disagree on more than half as many samples as are inside: the mesh is an "
                "open surface rather than a solid with holes, and its inside is a guess."
            )
        if self.thickness < 1:
            lines.append(
                f"The inside is {self.thickness:.2f} samples thick on average: the surface is a "
                "thin shell, much of which falls between samples; raise the resolution."
            )
        return lines

    def _why_empty(self) -> str:
        mesh = self.diagnosis
        if not mesh.closed:
            return "the surface is open, a sheet rather than a solid; close it"
        if abs(mesh.volume) <= NO_THICKNESS * mesh.area**1.5:
            return (
                "the surface is a shell of zero thickness, whose two sides coincide, so it "
                "encloses nothing at any resolution; give it thickness"
            )
        return "the surface is a thin shell that falls between samples; raise the resolution"

    def _count_and_share(self, samples: int) -> str:
        return f"{samples:,} samples ({samples / self.resolution**3:.2%} of the cube)"
