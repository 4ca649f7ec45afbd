"""The header of a PLY file: its encoding, elements and properties."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from geom_miner.errors import MeshError
from geom_miner.mesh.formats.contents import Bytes

_DTYPES = {
    "char": "i1",
    "int8": "i1",
    "uchar": "u1",
    "uint8": "u1",
    "short": "i2",
    "int16": "i2",
    "ushort": "u2",
    "uint16": "u2",
    "int": "i4",
    "int32": "i4",
    "uint": "u4",
    "uint32": "u4",
    "float": "f4",
    "float32": "f4",
    "double": "f8",
    "float64": "f8",
}
_BYTE_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
# Largest header in bytes (1 MiB). A header takes a few hundred bytes, with long comments a few
# thousand.
_MAX_HEADER = 1 << 20

# Most digits of a count: 18 fit an int64.
_MOST_DIGITS = 18
_FIRST_LINE = re.compile(rb"ply[ \t]*(\r\n|\n|\r)")
_LINE_END = re.compile(r"\r\n|\n|\r")
# The end of the last line by the end of the first one. A carriage return alone, as Rhino writes it,
# may be followed by data that begin with a line feed.
_LAST_LINE = {
    first: re.compile(rb"[\r\n][ \t]*end_header[ \t]*(?:" + ends + rb"|\Z)")
    for first, ends in ((b"\n", rb"\r?\n"), (b"\r\n", rb"\r?\n|\r"), (b"\r", rb"\r"))
}

AnyArray = npt.NDArray[np.generic]


@dataclass(frozen=True)
class Property:
    """A property of an element.

    Parameters
    ----------
    dtype : NumPy code of its values, without byte order.
    length_dtype : the same of a list's length; None for a single value.
    """

    name: str
    dtype: str
    length_dtype: str | None


@dataclass(frozen=True)
class Element:
    """A table of the file: ``count`` rows with one column for each property."""

    name: str
    count: int
    properties: tuple[Property, ...]

    @property
    def min_row_bytes(self) -> int:
        """Bytes of one row whose lists are all empty."""
        return sum(np.dtype(p.length_dtype or p.dtype).itemsize for p in self.properties)


@dataclass(frozen=True)
class Lists:
    """Lists of differing lengths: all values one after another, and the length of each list."""

    values: AnyArray
    lengths: npt.NDArray[np.int64]


# The columns of an element by property: (count,) of single values, (count, length) of lists of
# equal length, or ``Lists``.
Columns = dict[str, AnyArray | Lists]


def parse_header(data: Bytes, path: Path) -> tuple[str, list[Element], int]:
    """Byte order ("" for ascii), elements, and the offset of the first byte after the header.

    Raises
    ------
    MeshError
        The data is no PLY, or ends inside the header.
    """
    first = _FIRST_LINE.match(data)
    if first is None:
        raise MeshError(f"{path} is not a PLY file, though named so; export it as PLY")
    last = _LAST_LINE[first[1]].search(data, first.end() - 1, _MAX_HEADER)
    if last is None:
        raise MeshError(f"{path} ends inside its header; the file is cut short, copy it again")
    byte_order: str | None = None
    elements: list[tuple[str, int, list[Property]]] = []
    for line in _LINE_END.split(data[first.end() : last.start()].decode("latin-1")):
        words = line.split()
        try:
            if not words or words[0] in ("comment", "obj_info"):
                continue
            if words[0] == "format":
                byte_order = _BYTE_ORDERS[words[1]]
            elif words[0] == "element":
                elements.append((words[1], _parse_count(words[2]), []))
            elif words[0] == "property":
                elements[-1][2].append(_parse_property(words))
            else:
                raise ValueError(words[0])
        except (IndexError, KeyError, ValueError) as error:
            raise MeshError(
                f"{path} has a header line that is no PLY: {line.strip()[:60]!r}; export it again"
            ) from error
    if byte_order is None:
        raise MeshError(f"{path} has no format line in its header; export it again")
    _check_names(path, elements)
    read = [Element(name, count, tuple(properties)) for name, count, properties in elements]
    return byte_order, read, last.end()


def _check_names(path: Path, elements: list[tuple[str, int, list[Property]]]) -> None:
    """No two elements, and no two properties of an element, have one name."""
    names = [[name for name, _, _ in elements]]
    names += [[p.name for p in properties] for _, _, properties in elements]
    for group in names:
        if len(set(group)) < len(group):
            repeated = max(group, key=group.count)
            raise MeshError(
                f"{path} must name each element and property once, got {repeated[:40]!r} again; "
                "export it again"
            )


def _parse_count(word: str) -> int:
    if not word.isdecimal() or len(word) > _MOST_DIGITS:
        raise ValueError(word)
    return int(word)


def _parse_property(words: list[str]) -> Property:
    if words[1] == "list":
        if _DTYPES[words[2]].startswith("f"):
            raise ValueError(words[2])
        return Property(words[4], _DTYPES[words[3]], _DTYPES[words[2]])
    return Property(words[2], _DTYPES[words[1]], None)
