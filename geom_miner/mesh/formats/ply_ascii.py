"""The body of an ascii PLY file."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from geom_miner.errors import MeshError
from geom_miner.mesh.formats.ply_header import AnyArray, Columns, Element, Lists, Property


class AsciiBody:
    """Reads one element after another from the numbers behind the header.

    Parameters
    ----------
    text : everything behind the header.

    Raises
    ------
    MeshError
        The text holds something other than numbers.
    """

    def __init__(self, path: Path, text: bytes) -> None:
        self.path, self.offset = path, 0
        with warnings.catch_warnings():
            # NumPy stops at a word that is no number, with only a warning.
            warnings.simplefilter("error", DeprecationWarning)
            try:
                self.numbers = np.fromstring(text.decode("ascii"), dtype=np.float64, sep=" ")
            except (DeprecationWarning, ValueError) as error:
                raise MeshError(
                    f"{path} has something other than numbers in its data; export it again"
                ) from error

    def read(self, element: Element) -> Columns:
        """Read the element that comes next in the file.

        Raises
        ------
        MeshError
            The file is cut short, or the length of a list is not a whole number >= 0.
        """
        if element.count * len(element.properties) > len(self.numbers) - self.offset:
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
        available = min(element.count, (len(self.numbers) - self.offset) // row_numbers)
        stop = self.offset + available * row_numbers
        table = self.numbers[self.offset : stop].reshape(-1, row_numbers)
        columns: Columns = {}
        for p, (start, length) in zip(element.properties, spans, strict=True):
            if p.length_dtype is None:
                columns[p.name] = table[:, start].astype(p.dtype)
            elif (table[:, start - 1] != length).any():
                return None
            else:
                columns[p.name] = table[:, start : start + length].astype(p.dtype)
        if available < element.count:
            raise self._cut_short(element)
        self.offset += element.count * row_numbers
        return columns

    def _read_rows(self, element: Element) -> Columns:
        """Row by row, for lists of differing lengths."""
        values: list[list[AnyArray]] = [[] for _ in element.properties]
        for _ in range(element.count):
            for i, p in enumerate(element.properties):
                values[i].append(self._read_values(element, p))
        return {
            p.name: np.concatenate(values[i])
            if p.length_dtype is None
            else Lists(np.concatenate(values[i]), np.array([len(v) for v in values[i]]))
            for i, p in enumerate(element.properties)
        }

    def _read_length(self, element: Element, at: int) -> int:
        """The length of the list whose length is number ``at`` of the text."""
        if at >= len(self.numbers):
            raise self._cut_short(element)
        number = float(self.numbers[at])
        if not (number >= 0 and number.is_integer()):
            raise MeshError(f"{self.path} has a list of length {number:g}; the file is damaged")
        return int(number)

    def _read_values(self, element: Element, p: Property) -> AnyArray:
        """The next value, or the values of the next list."""
        length = 1
        if p.length_dtype is not None:
            length = self._read_length(element, self.offset)
            self.offset += 1
        values = self.numbers[self.offset : self.offset + length]
        if len(values) < length:
            raise self._cut_short(element)
        self.offset += length
        return values.astype(p.dtype)

    def _cut_short(self, element: Element) -> MeshError:
        return MeshError(
            f"{self.path} is cut short: its header announces {element.count:,} rows of "
            f"{element.name} data and the numbers end earlier; copy or download it again"
        )
