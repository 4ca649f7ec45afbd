"""What was done and found while voxelizing, in numbers and in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from geom_miner.mesh.diagnose import Diagnosis
from geom_miner.voxelize.settings import InsideTest

Method = Literal["parity", "direction", "majority", "majority+winding", "winding", "embree"]

_WAYS: dict[Method, str] = {
    "parity": "by counting crossings along z",
    "direction": "by counting crossings along z with their directions",
    "majority": "by a vote of the crossings along x, y and z",
    "majority+winding": "by the crossings along x, y and z, and winding numbers where these differ",
    "winding": "by winding numbers",
    "embree": "by a vote of Embree rays",
}

# Doubtful samples per sample inside from which a mesh is called an open surface.
OPEN_SURFACE = 0.5

# Volume over area**1.5 up to which a closed mesh has no thickness: rounding, and no wall of a
# thickness that any grid could show.
NO_THICKNESS = 1e-9


@dataclass(frozen=True)
class VoxelizeReport:
    """What was done and found while voxelizing."""

    asked: InsideTest
    """The inside test of the settings."""
    method: Method
    """The test that decided what is inside; "direction" are signed crossings."""
    why: str
    """Why this method, in plain words."""
    resolution: int
    """Samples along each side of the cube."""
    columns: int
    """Columns of samples that the surface crosses, over all axes that were cast."""
    odd_columns: int
    """Those crossed an odd number of times: 0 for a closed mesh."""
    unbalanced_columns: int
    """Those entered and left unequally often: 0 for a closed mesh that faces one way; 0 too where
    directions were not looked at."""
    crossings: int
    """Crossings of columns and surface, over all axes that were cast."""
    overlap_samples: int
    """Samples in an even number of overlapping or nested parts, at most over the axes that were
    cast: solid by their directions, hollow by parity."""
    doubtful_samples: int
    """Samples where the axes that were cast disagree."""
    winding_samples: int
    """Samples that winding numbers decided."""
    inside_fraction: float
    """Share of the cube's samples that are inside."""
    thickness: float
    """Mean thickness of what is inside, in samples: twice its volume over the surface's area."""
    mixed_blocks: int
    """Blocks that hold both values."""
    repeats_removed: int
    """Repeated faces that were left out, because they made the mesh leak."""
    faces_turned: int
    """Faces that were turned to agree with their neighbors about outside."""
    seconds: float
    """Time of voxelizing, without the diagnosis."""
    diagnosis: Diagnosis
    """The mesh's own condition, as it was given."""

    @property
    def doubtful_fraction(self) -> float:
        """Share of the cube's samples where the axes that were cast disagree."""
        return self.doubtful_samples / self.resolution**3

    def sentences(self) -> list[str]:
        """The report in plain words: what was done, why, what is doubtful, the mesh's faults."""
        return [
            f"Voxelized at {self.resolution}^3 in {self.seconds:.2f} s {_WAYS[self.method]}: "
            f"{self.inside_fraction:.2%} inside, {self.mixed_blocks:,} blocks at the surface.",
            f"{self.why[0].upper()}{self.why[1:]}.",
            *self._about_columns(),
            *self._about_doubt(),
            *self._about_result(),
            *self.diagnosis.sentences(),
        ]

    def _about_columns(self) -> list[str]:
        lines = []
        if self.repeats_removed:
            lines.append(f"{self.repeats_removed:,} repeated face(s) were left out.")
        if self.faces_turned:
            lines.append(
                f"{self.faces_turned:,} face(s) were turned to agree with their neighbors."
            )
        if self.odd_columns:
            single = self.method in ("parity", "direction")
            lines.append(
                f"{self.odd_columns:,} of {self.columns:,} columns meet the surface an odd number "
                "of times, as happens at holes; "
                + (
                    "what follows their last crossing counts as outside."
                    if single
                    else "where this matters the axes disagree."
                )
            )
        if self.unbalanced_columns > self.odd_columns:
            lines.append(
                f"{self.unbalanced_columns:,} of {self.columns:,} columns enter and leave the "
                "surface unequally often, as happens at holes and at faces turned the wrong way."
            )
        if self.overlap_samples:
            lines.append(
                f"{self._share(self.overlap_samples)} lie in parts that overlap or are nested the "
                "same way round: solid by the directions of the crossings, hollow by parity."
            )
        return lines

    def _about_doubt(self) -> list[str]:
        lines = []
        if self.doubtful_samples:
            line = f"{self._share(self.doubtful_samples)} are doubtful, as the axes disagree; "
            if self.winding_samples:
                lines.append(line + "there the winding number decides.")
            elif self.asked == "majority":
                lines.append(line + "two of three decide.")
            else:
                lines.append(
                    line + "two of three decide, because winding numbers, which would tell "
                    "better, need libigl: install geom_miner[eval]."
                )
        if self.winding_samples > self.doubtful_samples:
            lines.append(
                f"{self._share(self.winding_samples)} in all were decided by winding number: "
                "columns through holes, where the axes agree but may be wrong together, are among "
                "them."
            )
        return lines

    def _about_result(self) -> list[str]:
        if not self.inside_fraction:
            return [f"No sample is inside: {self._why_empty()}."]
        lines = []
        if self.doubtful_fraction > OPEN_SURFACE * self.inside_fraction:
            lines.append(
                "The axes disagree about more than half as much as is inside: the mesh is an open "
                "surface rather than a solid with holes, and its inside a guess."
            )
        if self.thickness < 1:
            lines.append(
                f"What is inside is {self.thickness:.2f} samples thick on average: the surface is "
                "a thin shell, much of which falls between samples; raise the resolution."
            )
        return lines

    def _why_empty(self) -> str:
        mesh = self.diagnosis
        if not mesh.closed:
            return "the surface is open, a sheet rather than a solid; close it"
        if abs(mesh.volume) <= NO_THICKNESS * mesh.area**1.5:
            return (
                "the surface is a shell of zero thickness, both sides of which lie in one place, "
                "and holds nothing at any resolution; give it thickness"
            )
        return "the surface is a thin shell that falls between samples; raise the resolution"

    def _share(self, samples: int) -> str:
        return f"{samples:,} samples ({samples / self.resolution**3:.2%} of the cube)"
