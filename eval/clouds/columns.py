"""What the columns of a table of points mean: by their names, or by their values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from eval.clouds.point_cloud import PointCloud
from eval.errors import CloudError

Floats = npt.NDArray[np.float64]

# How far from 1 the length of a normal may be in a file: two decimals of each coordinate move it by
# less than 0.01, and some programs write even fewer.
_LENGTH_TOLERANCE = 0.05
# Share of the rows that have such normals where there are normals. The others are written as 0 0 0,
# which is refused later, or are scaled.
_MOST_ROWS = 0.9
# Largest value of a color: 16 bits a channel.
_LARGEST_COLOR = 65535
_HELP = "say what they are, such as --columns {example}"
_COUNTS = "2 (x y), 3 (x y z), 4 (x y nx ny) or 6 (x y z nx ny nz)"


def parse_columns(text: str) -> tuple[str, ...]:
    """Names of columns from a list with commas or blanks; names that mean nothing are allowed.

    Raises
    ------
    CloudError
        There is no x and y, a name comes twice, or normals are incomplete.
    """
    names = tuple(text.lower().replace(",", " ").split())
    axes = _axes_of(names)
    known = [*"xyz", *(f"n{axis}" for axis in "xyz")]
    if axes[:2] != ["x", "y"]:
        raise CloudError(f"columns must have x and y, and z if there is one, got {text!r}")
    for name in known:
        if names.count(name) > 1:
            raise CloudError(f"columns must have {name} once, got {text!r}")
    normals = [name for name in names if name in known[3:]]
    if normals and sorted(normals) != [f"n{axis}" for axis in axes]:
        complete = ", ".join(f"n{axis}" for axis in axes)
        raise CloudError(f"columns must have {complete} or no normals, got {text!r}")
    return names


def is_header(words: Sequence[str]) -> bool:
    """Whether the words of a line are names of columns: x and y among them, and no number."""
    return {"x", "y"} <= {word.lower() for word in words} and not any(map(_is_number, words))


def cloud_of_named_columns(table: Floats, names: Sequence[str]) -> PointCloud:
    """The points of a table whose columns have names, with normals if nx, ny (and nz) are there.

    Raises
    ------
    CloudError
        There are more or fewer columns than names.
    """
    if table.ndim != 2 or table.shape[1] != len(names):
        raise CloudError(
            f"columns are named {','.join(names)}, which are {len(names)}, and the table has the "
            f"shape {table.shape}; name each column, with any word for one to leave out"
        )
    axes = _axes_of(names)
    points = table[:, [names.index(axis) for axis in axes]]
    if "nx" not in names:
        return PointCloud(points)
    return PointCloud(points, table[:, [names.index(f"n{axis}") for axis in axes]])


def cloud_of_columns(table: Floats) -> PointCloud:
    """The points of a table without names; its last columns are normals if they have length 1.

    Colors are left out, and the cloud's notes say so.

    Raises
    ------
    CloudError
        There are no points, the number of columns says nothing, or the columns after the position
        are neither normals nor colors.
    """
    if not table.size:
        raise CloudError("there are no points; export it again")
    count = table.shape[1] if table.ndim == 2 else 0
    if count in (2, 3):
        return PointCloud(table)
    if count not in (4, 6):
        example = "x,y,z,nx,ny,nz,red,green,blue"
        raise CloudError(
            f"points must have {_COUNTS} columns, got an array of shape {table.shape}; remove the "
            "other columns, or " + _HELP.format(example=example)
        )
    positions, more = table[:, : count // 2], table[:, count // 2 :]
    if _are_normals(more):
        return PointCloud(positions, more)
    if count == 6 and _are_colors(more):
        note = (
            "Columns 4 to 6 were left out: they are colors, since their values are "
            f"{more.min():g} to {more.max():g} and make no vectors of length 1."
        )
        return PointCloud(positions, notes=(note,))
    first, example = ("3 and 4", "x,y,z,intensity") if count == 4 else ("4 to 6", "x,y,z,nx,ny,nz")
    row = " ".join(f"{value:g}" for value in more[0])
    raise CloudError(
        f"columns {first} are no normals of length 1 (the first row has {row}); "
        + _HELP.format(example=example)
    )


def _axes_of(names: Sequence[str]) -> list[str]:
    return [axis for axis in "xyz" if axis in names]


def _are_normals(columns: Floats) -> bool:
    lengths = np.linalg.norm(columns, axis=1)
    return bool(np.mean(np.abs(lengths - 1) <= _LENGTH_TOLERANCE) >= _MOST_ROWS)


def _are_colors(columns: Floats) -> bool:
    """Whether all values are 0 to 1, or whole numbers from 0 to the largest of 16 bits."""
    low, high = float(columns.min()), float(columns.max())
    whole = high <= _LARGEST_COLOR and bool((columns == np.rint(columns)).all())
    # Zeros alone are more likely normals that a program did not know.
    return low >= 0 and high > 0 and (high <= 1 or whole)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
