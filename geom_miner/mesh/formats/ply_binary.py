"""The body of a binary PLY file, of either byte order."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from geom_miner.errors import MeshError
from geom_miner.mesh.formats.contents import Bytes
from geom_miner.mesh.formats.ply_header import Columns, Element, Lists, Property

# Longest row in bytes that is read as one data type of NumPy, whose limit is 2**31 - 1.
_LONGEST_ROW = 1 << 30


class BinaryBody:
    """Reads one element after another from the bytes behind the header.

    Parameters
    ----------
    data : the whole file.
    offset : of the first byte behind the header.
    byte_order : "<" or ">".
    """

    def __init__(self, path: Path, data: Bytes, offset: int, byte_order: str) -> None:
        self.path, self.data, self.offset, self.byte_order = path, data, offset, byte_order

    @property
    def left(self) -> int:
        """Bytes that were not read yet."""
        return len(self.data) - self.offset

    def read(self, element: Element) -> Columns:
        """Read the element that comes next in the file.

        Raises
        ------
        MeshError
            The file is cut short, or a list has a negative length.
        """
        if element.count * element.min_row_bytes > self.left:
            raise self._cut_short(element, element.count * element.min_row_bytes)
        if not element.count or not element.properties:
            return {p.name: np.empty(0, p.dtype) for p in element.properties}
        uniform = self._read_uniform(element)
        return self._read_rows(element) if uniform is None else uniform

    def _read_uniform(self, element: Element) -> Columns | None:
        """All rows at once, if every list is as long as in the first row; else None."""
        fields: list[tuple[str, str] | tuple[str, str, tuple[int, ...]]] = []
        lengths: dict[int, int] = {}
        at = self.offset
        for i, p in enumerate(element.properties):
            # A longer row is no data type of NumPy.
            if at - self.offset > min(self.left, _LONGEST_ROW):
                return None
            if p.length_dtype is not None:
                lengths[i] = self._read_length(element, p.length_dtype, at)
                if lengths[i] * np.dtype(p.dtype).itemsize > min(self.left, _LONGEST_ROW):
                    return None
                fields.append((f"length{i}", self.byte_order + p.length_dtype))
                fields.append((f"value{i}", self.byte_order + p.dtype, (lengths[i],)))
                at += np.dtype(p.length_dtype).itemsize
            else:
                fields.append((f"value{i}", self.byte_order + p.dtype))
            at += np.dtype(p.dtype).itemsize * lengths.get(i, 1)
        row_bytes = at - self.offset
        # Later rows may be shorter.
        if element.count * row_bytes > self.left:
            return None
        rows = np.frombuffer(self.data, np.dtype(fields), element.count, self.offset)
        if any((rows[f"length{i}"] != length).any() for i, length in lengths.items()):
            return None
        self.offset += element.count * row_bytes
        return {p.name: rows[f"value{i}"] for i, p in enumerate(element.properties)}

    def _read_rows(self, element: Element) -> Columns:
        """Row by row, for lists of differing lengths."""
        # Numba is imported on first use.
        from geom_miner.mesh.parsers import ply_rows

        data = np.frombuffer(self.data, np.uint8)
        types = np.array([_sizes(p) for p in element.properties], np.int64)
        starts = np.empty((len(types), element.count), np.int64)
        lengths = np.empty_like(starts)
        end = ply_rows.walk_bytes(data, self.offset, self.byte_order == "<", types, starts, lengths)
        if end == ply_rows.BAD_LENGTH:
            raise self._bad_length()
        if end == ply_rows.CUT_SHORT:
            raise self._cut_short(element, self.left + 1)
        self.offset = end
        columns: Columns = {}
        for i, p in enumerate(element.properties):
            dtype = np.dtype(self.byte_order + p.dtype)
            values = np.empty(int(lengths[i].sum()), dtype)
            ply_rows.gather_bytes(
                data, starts[i], lengths[i], dtype.itemsize, values.view(np.uint8)
            )
            columns[p.name] = values if p.length_dtype is None else Lists(values, lengths[i])
        return columns

    def _read_length(self, element: Element, dtype: str, at: int) -> int:
        """The length of the list whose length is stored at byte ``at``."""
        stop = at + np.dtype(dtype).itemsize
        if stop > len(self.data):
            raise self._cut_short(element, stop - self.offset)
        order: Literal["big", "little"] = "big" if self.byte_order == ">" else "little"
        length = int.from_bytes(self.data[at:stop], order, signed=dtype.startswith("i"))
        if length < 0:
            raise self._bad_length()
        return length

    def _bad_length(self) -> MeshError:
        return MeshError(f"{self.path} has a list of negative length; the file is damaged")

    def _cut_short(self, element: Element, announced: int) -> MeshError:
        return MeshError(
            f"{self.path} is cut short: its header announces {announced:,} bytes or more of "
            f"{element.name[:40]!r} data ({element.count:,} rows) and the file holds "
            f"{self.left:,}; copy or download it again"
        )


def _sizes(p: Property) -> tuple[int, int, bool]:
    """Bytes of a value, bytes of a list's length or 0, and whether that length has a sign."""
    if p.length_dtype is None:
        return np.dtype(p.dtype).itemsize, 0, False
    length = np.dtype(p.length_dtype)
    return np.dtype(p.dtype).itemsize, length.itemsize, length.kind == "i"
