"""Which samples ``--region`` means."""

from __future__ import annotations

import re
from dataclasses import dataclass

from geom_miner.errors import SettingsError

# At most 18 digits, so that any number fits an index.
_PART = re.compile(r"(?P<index>[0-9]{1,18})|(?P<start>[0-9]{0,18}):(?P<stop>[0-9]{0,18})")

_EXAMPLE = ("0:32", ":", *["7"] * 8)


@dataclass(frozen=True)
class Region:
    """A half-open index box of samples.

    Parameters
    ----------
    start, stop : first sample and first one beyond the box, per axis.
    dropped : axes that an index, not a range, was given for; the result leaves them out.
    """

    start: tuple[int, ...]
    stop: tuple[int, ...]
    dropped: tuple[int, ...] = ()


def parse_region(text: str | None, shape: tuple[int, ...]) -> Region:
    """Read ``10:200,:64,7``: a range or an index for each axis; None means everything.

    A number that is missing stands for the axis's end, as in Python.

    Raises
    ------
    SettingsError
        The text is malformed, or the box is empty or reaches beyond ``shape``.
    """
    if text is None:
        return Region((0,) * len(shape), shape)
    parts = [_PART.fullmatch(part.strip()) for part in text.split(",")]
    start, stop, dropped = [], [], []
    for axis, part in enumerate(parts):
        if part is None or len(parts) != len(shape):
            raise SettingsError(
                f"region must be start:stop or one index for each of {len(shape)} axes, without "
                "negative numbers or steps, such as "
                f"{','.join(_EXAMPLE[: len(shape)])}, got {text!r}"
            )
        first = int(part["index"] or part["start"] or 0)
        beyond = first + 1 if part["index"] else int(part["stop"] or shape[axis])
        if not first < beyond <= shape[axis]:
            raise SettingsError(
                f"region must lie inside the {' x '.join(map(str, shape))} samples and hold at "
                f"least one, got {part[0]} on axis {axis}; there 0:{shape[axis]} is everything"
            )
        start.append(first)
        stop.append(beyond)
        if part["index"]:
            dropped.append(axis)
    return Region(tuple(start), tuple(stop), tuple(dropped))
