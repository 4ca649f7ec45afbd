"""The header of a PLY file: its encoding, elements and properties."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from geom_miner.errors import MeshError

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

AnyArray = npt.NDArray[np.generic]
Bytes = bytes | mmap.mmap


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
    if data[:4] not in (b"ply\n", b"ply\r"):
        raise MeshError(f"{path} is not a PLY file, though named so; export it as PLY")
    end = data.find(b"end_header", 0, _MAX_HEADER)
    stop = data.find(b"\n", end) + 1 if end >= 0 else 0
    if not stop:
        raise MeshError(f"{path} ends inside its header; the file is cut short, copy it again")
    byte_order: str | None = None
    elements: list[Element] = []
    for line in data[:end].decode("latin-1").splitlines()[1:]:
        words = line.split()
        try:
            if not words or words[0] in ("comment", "obj_info"):
                continue
            if words[0] == "format":
                byte_order = _BYTE_ORDERS[words[1]]
            elif words[0] == "element":
                elements.append(Element(words[1], _parse_count(words[2]), ()))
            elif words[0] == "property":
                last = elements.pop()
                properties = (*last.properties, _parse_property(words))
                elements.append(Element(last.name, last.count, properties))
            else:
                raise ValueError(words[0])
        except (IndexError, KeyError, ValueError) as error:
            raise MeshError(
                f"{path} has a header line that is no PLY: {line.strip()[:60]!r}; export it again"
            ) from error
    if byte_order is None:
        raise MeshError(f"{path} has no format line in its header; export it again")
    return byte_order, elements, stop


def _parse_count(word: str) -> int:
    count = int(word)
    if count < 0:
        raise ValueError(word)
    return count


def _parse_property(words: list[str]) -> Property:
    if words[1] == "list":
        return Property(words[4], _DTYPES[words[3]], _DTYPES[words[2]])
    return Property(words[2], _DTYPES[words[1]], None)
