"""Whole numbers and floats in as few bytes as they need, and a reader that stays inside them."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from geom_miner.records import RecordError

# Groups of seven bits at most: 63 bits.
_MOST_GROUPS = 9


def pack_numbers(numbers: Iterable[int]) -> bytes:
    """Non-negative whole numbers, seven bits in a byte, lowest first; the top bit says "more"."""
    out = bytearray()
    for number in numbers:
        while number > 0x7F:
            out.append(number & 0x7F | 0x80)
            number >>= 7
        out.append(number)
    return bytes(out)


def pack_floats(numbers: Iterable[float]) -> bytes:
    """Float32, little-endian."""
    return b"".join(struct.pack("<f", number) for number in numbers)


class PackedReader:
    """Reads packed numbers one after another.

    Raises
    ------
    RecordError
        From every method, where the bytes end too early or are none of its numbers.
    """

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def number(self, most: int = (1 << 62) - 1) -> int:
        """One whole number, at most ``most``."""
        value = 0
        for group in range(_MOST_GROUPS):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << (7 * group)
            if byte < 0x80:
                if value > most:
                    raise RecordError(f"a number must be at most {most}, got {value}")
                return value
        raise RecordError("a number has more than 63 bits")

    def numbers(self, count: int, most: int = (1 << 62) - 1) -> tuple[int, ...]:
        """Several of them."""
        return tuple(self.number(most) for _ in range(count))

    def floats(self, count: int) -> tuple[float, ...]:
        """Finite float32 numbers."""
        values = struct.unpack(f"<{count}f", self.take(4 * count))
        if not all(abs(value) < float("inf") for value in values):
            raise RecordError("floats must be finite, got NaN or infinity")
        return values

    def take(self, count: int) -> bytes:
        """The next bytes."""
        if count > len(self._data) - self._at:
            raise RecordError("it is cut short")
        self._at += count
        return self._data[self._at - count : self._at]

    def rest(self) -> bytes:
        """All bytes that are left."""
        return self.take(len(self._data) - self._at)
