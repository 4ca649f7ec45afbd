"""The body of an ascii PLY file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from geom_miner.errors import MeshError
from geom_miner.mesh.formats.contents import Bytes
from geom_miner.mesh.formats.ply_header import AnyArray, Columns, Element, Lists
from geom_miner.mesh.formats.text import read_numbers


class AsciiBody:
    """Reads one element after another from the numbers behind the header.

    Parameters
    ----------
    data : the whole file.
    start : first byte behind the header.

    Raises
    ------
    MeshError
        The text holds something other than numbers.
    """

    def __init__(self, path: Path, data: Bytes, start: int) -> None:
        self.path, self.offset = path, 0
        self.numbers = read_numbers(path, np.frombuffer(data, np.uint8), start).numbers

    @property
    def left(self) -> int:
        """Numbers that were not read yet."""
        return len(self.numbers) - self.offset

    def read(self, element: Element) -> Columns:
        """Read the element that comes next in the file.

        Raises
        ------
        MeshError
            The file is cut short, or the length of a list is not a whole number >= 0.
        """
        if element.count * len(element.properties) > self.left:
            raise self._cut_short(element)
        if not element.count or not element.properties:
            return {p.name: np.empty(0, p.dtype) for p in element.properties}
        # A number beyond the range of its type is found when the mesh is checked.
        with np.errstate(all="ignore"):
            uniform = self._read_uniform(element)
            return self._read_rows(element) if uniform is None else uniform

    def _read_uniform(self, element: Element) -> Columns | None:
        """All rows at once, if every list is as long as in the first row; else None."""
        spans: list[tuple[int, int]] = []
        row_numbers = 0
        for p in element.properties:
            length = 1
            if p.length_dtype is not None:
                length = self._read_length(element, self.offset + row_numbers)
                row_numbers += 1
            spans.append((row_numbers, length))
            row_numbers += length
        # Later rows may be shorter.
        if element.count * row_numbers > self.left:
            return None
        stop = self.offset + element.count * row_numbers
        table = self.numbers[self.offset : stop].reshape(-1, row_numbers)
        columns: Columns = {}
        for p, (start, length) in zip(element.properties, spans, strict=True):
            if p.length_dtype is None:
                columns[p.name] = table[:, start].astype(p.dtype)
            elif (table[:, start - 1] != length).any():
                return None
            else:
                columns[p.name] = table[:, start : start + length].astype(p.dtype)
        self.offset = stop
        return columns

    def _read_rows(self, element: Element) -> Columns:
        """Row by row, for lists of differing lengths."""
        # Numba is imported on first use.
        from geom_miner.mesh.parsers import ply_rows

        is_list = np.array([p.length_dtype is not None for p in element.properties])
        starts = np.empty((len(is_list), element.count), np.int64)
        lengths = np.empty_like(starts)
        end = ply_rows.walk_numbers(self.numbers, self.offset, is_list, starts, lengths)
        if end == ply_rows.BAD_LENGTH:
            raise self._bad_length()
        if end == ply_rows.CUT_SHORT:
            raise self._cut_short(element)
        self.offset = end
        columns: Columns = {}
        for i, p in enumerate(element.properties):
            numbers = np.empty(int(lengths[i].sum()))
            ply_rows.gather_numbers(self.numbers, starts[i], lengths[i], numbers)
            values: AnyArray = numbers.astype(p.dtype)
            columns[p.name] = values if p.length_dtype is None else Lists(values, lengths[i])
        return columns

    def _read_length(self, element: Element, at: int) -> int:
        """The length of the list whose length is number ``at`` of the text."""
        if at >= len(self.numbers):
            raise self._cut_short(element)
        number = float(self.numbers[at])
        if not (number >= 0 and number.is_integer()):
            raise self._bad_length(f" {number:g}")
        return int(number)

    def _bad_length(self, number: str = "") -> MeshError:
        return MeshError(
            f"{self.path} has a list of length{number} that is no whole number >= 0; the file is "
            "damaged"
        )

    def _cut_short(self, element: Element) -> MeshError:
        return MeshError(
            f"{self.path} is cut short: its header announces {element.count:,} rows of "
            f"{element.name[:40]!r} data and the numbers end earlier; copy or download it again"
        )
