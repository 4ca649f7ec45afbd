"""What a signal is and where it comes from: metadata from its source to its model file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Annotated, Any, Literal

from geom_miner.constraints import Range, check_fields
from geom_miner.records import convert_record

SignalKind = Literal["occupancy", "image", "signal"]


@dataclass(frozen=True)
class SourceInfo:
    """Where a signal comes from."""

    name: str = ""
    """Name in titles and comments, such as the file's name without its suffix."""
    faces: Annotated[int, Range(at_least=0)] | None = None
    """Faces of a mesh."""
    path: str = ""
    """File or address, as reports print it."""
    license: str = ""
    """Terms of use."""
    citation: str = ""
    """Whom to acknowledge."""

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class SignalInfo:
    """Metadata of a signal, written by the builder of its target and kept in the model file."""

    kind: SignalKind = "signal"
    """What samples mean: "occupancy" is inside where it exceeds ``iso_level``, whether its values
    are 0 and 1, a covered share or a distance; "image" runs from black (0) to full (1)."""
    target: str = ""
    """Name of the target that was fitted: distance, occupancy, coverage, image."""
    iso_level: float | None = None
    """Value of the surface; None where there is no surface."""
    bits: Annotated[int, Range(1, 64)] | None = None
    """Bits per channel of the source file of an image."""
    value_range: Annotated[float, Range(above=0, at_most=1)] | None = None
    """Range of values that an image uses, where that is a small part of 0 to 1: tolerances of its
    fit and its PSNR are relative to it. None where they are relative to 1."""
    source: SourceInfo = field(default_factory=SourceInfo)
    notice: str = ""
    """A sentence that everything made from the signal has to repeat, such as that the source is
    not the shape that its name says."""

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def is_distance(self) -> bool:
        """Whether samples near the surface hold their distance to it."""
        return self.target == "distance"

    def to_json(self) -> dict[str, Any]:
        """JSON-able values; what is not known is left out."""
        values = asdict(self)
        values["source"] = {key: value for key, value in values["source"].items() if value}
        return {key: value for key, value in values.items() if value not in (None, "", {})}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> tuple[SignalInfo, dict[str, Any]]:
        """The inverse of ``to_json``, and the entries that are no metadata of a signal.

        Raises
        ------
        RecordError
            An entry is not of its field's type.
        """
        names = {entry.name for entry in fields(cls)}
        own = {key: value for key, value in values.items() if key in names}
        rest = {key: value for key, value in values.items() if key not in names}
        return convert_record(own, cls), rest
