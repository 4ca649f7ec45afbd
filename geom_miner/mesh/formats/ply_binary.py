"""The body of a binary PLY file, of either byte order."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from geom_miner.errors import MeshError
from geom_miner.mesh.formats.ply_header import (
    AnyArray,
    Bytes,
    Columns,
    Element,
    Lists,
    Property,
)


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

    def read(self, element: Element) -> Columns:
        """Read the element that comes next in the file.

        Raises
        ------
        MeshError
            The file is cut short, or a list has a negative length.
        """
        if element.count * element.min_row_bytes > len(self.data) - self.offset:
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
            if p.length_dtype is not None:
                lengths[i] = self._read_length(element, p.length_dtype, at)
                fields.append((f"length{i}", self.byte_order + p.length_dtype))
                fields.append((f"value{i}", self.byte_order + p.dtype, (lengths[i],)))
                at += np.dtype(p.length_dtype).itemsize
            else:
                fields.append((f"value{i}", self.byte_order + p.dtype))
            at += np.dtype(p.dtype).itemsize * lengths.get(i, 1)
        row_bytes = at - self.offset
        available = min(element.count, (len(self.data) - self.offset) // row_bytes)
        rows = np.frombuffer(self.data, np.dtype(fields), available, self.offset)
        if any((rows[f"length{i}"] != length).any() for i, length in lengths.items()):
            return None
        if available < element.count:
            raise self._cut_short(element, element.count * row_bytes)
        self.offset += element.count * row_bytes
        return {p.name: rows[f"value{i}"] for i, p in enumerate(element.properties)}

    def _read_rows(self, element: Element) -> Columns:
        """Row by row, for lists of differing lengths."""
        starts: list[list[int]] = [[] for _ in element.properties]
        lengths: list[list[int]] = [[] for _ in element.properties]
        at = self.offset
        for _ in range(element.count):
            for i, p in enumerate(element.properties):
                length = 1
                if p.length_dtype is not None:
                    length = self._read_length(element, p.length_dtype, at)
                    at += np.dtype(p.length_dtype).itemsize
                starts[i].append(at)
                lengths[i].append(length)
                at += np.dtype(p.dtype).itemsize * length
        if at > len(self.data):
            raise self._cut_short(element, at - self.offset)
        self.offset = at
        return {
            p.name: self._gather(p, np.array(starts[i]), np.array(lengths[i]))
            for i, p in enumerate(element.properties)
        }

    def _gather(
        self, p: Property, starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]
    ) -> AnyArray | Lists:
        """The values of one property, from their byte offsets and numbers in each row."""
        dtype = np.dtype(self.byte_order + p.dtype)
        inner = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        at = np.repeat(starts, lengths) + inner * dtype.itemsize
        all_bytes = np.frombuffer(self.data, np.uint8)
        values = all_bytes[at[:, None] + np.arange(dtype.itemsize)].view(dtype)[:, 0]
        return values if p.length_dtype is None else Lists(values, lengths)

    def _read_length(self, element: Element, dtype: str, at: int) -> int:
        """The length of the list whose length is stored at byte ``at``."""
        stop = at + np.dtype(dtype).itemsize
        if stop > len(self.data):
            raise self._cut_short(element, stop - self.offset)
        order: Literal["big", "little"] = "big" if self.byte_order == ">" else "little"
        length = int.from_bytes(self.data[at:stop], order, signed=dtype.startswith("i"))
        if dtype.startswith("f") or length < 0:
            raise MeshError(f"{self.path} has a list of negative length; the file is damaged")
        return length

    def _cut_short(self, element: Element, announced: int) -> MeshError:
        available = len(self.data) - self.offset
        return MeshError(
            f"{self.path} is cut short: its header announces {announced:,} bytes or more of "
            f"{element.name} data ({element.count:,} rows) and the file holds {available:,}; copy "
            "or download it again"
        )
