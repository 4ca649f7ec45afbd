"""Seeded choices that are usually the right ones: what makes an input faulty in a few places."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

Item = TypeVar("Item")

# Spellings of a number that readers take for one, or not, or that overflow.
_NUMBERS = (
    *("nan", "inf", "-inf", "1e999", "-1e308", "1e-320", "-0", "+1", "1.", ".5", "1,5", "1_0"),
    *("0x1p3", "1d3", "1e", "--1", "", "x", "\u0663", "\x00", "9" * 400, "1" * 5000, "1e+05"),
)
_COUNTS = (
    *("0", "-1", "1.5", "1e3", "x", "", "007", "+3", "1 1", "9" * 4301, "1_0", "\u0663"),
    *(str(1 << 31), str((1 << 31) - 1), str(1 << 32), str(1 << 63), str(10**30)),
)


@dataclass(frozen=True)
class Dice:
    """Choices of one input.

    Parameters
    ----------
    rng : equal states give equal inputs.
    oddness : probability that a choice is not the usual one; 0 makes a good input.
    """

    rng: random.Random
    oddness: float = field(default=0.0)

    @classmethod
    def of(cls, rng: random.Random) -> Dice:
        """Dice for an input: one in eight is good, the others have few or many faults."""
        return cls(rng, rng.choice((0.0, 0.005, 0.01, 0.02, 0.02, 0.05, 0.1, 0.3)))

    def odd(self, weight: float = 1.0) -> bool:
        """Whether something is unusual here."""
        return self.rng.random() < self.oddness * weight

    def one(self, usual: Item, *others: Item) -> Item:
        """The usual value, or seldom one of the others."""
        return self.rng.choice(others) if self.odd() else usual

    def any(self, items: Sequence[Item]) -> Item:
        """One of several that are as good as each other."""
        return self.rng.choice(items)

    def number(self, value: float) -> str:
        """A number as a word of a text file."""
        if self.odd(0.3):
            return self.rng.choice(_NUMBERS)
        return self.rng.choice(("{:.6g}", "{:.3f}", "{!r}", "{:e}")).format(value)

    def count(self, value: int) -> str:
        """A count or an index as a word of a text file."""
        if not self.odd():
            return str(value)
        return self.rng.choice((*_COUNTS, str(value + 1), str(value - 1), str(-value)))

    def real(self, value: float) -> float:
        """A number of a binary file."""
        odd = (float("nan"), float("inf"), 3e38, -1e300, 1e-320, 0.0, 1e30)
        return self.rng.choice(odd) if self.odd(0.3) else value

    def whole(self, value: int, *, bits: int = 32) -> int:
        """A count or an index of a binary file, within unsigned integers of so many bits."""
        top = (1 << bits) - 1
        odd = (0, 1, value + 1, value - 1, value * 1000, top, top >> 1, (top >> 1) + 1, 1 << 24)
        return max(0, min(self.rng.choice(odd) if self.odd() else value, top))

    def mixed(self, lines: list[str]) -> list[str]:
        """Lines of which seldom one is missing, twice there, or in another place."""
        lines = list(lines)
        while lines and self.odd():
            at = self.rng.randrange(len(lines))
            line = lines.pop(at)
            lines[at:at] = [line] * self.rng.choice((0, 0, 2, 9))
            if self.rng.random() < 0.3:
                lines.insert(self.rng.randrange(len(lines) + 1), line)
        return lines

    def cut(self, content: bytes) -> bytes:
        """The content, seldom cut short or with something behind it."""
        if self.odd():
            return content[: self.rng.randrange(len(content) + 1)]
        return content + self.rng.choice((b"\n", b"\x00", b"x" * 100)) if self.odd() else content


@dataclass(frozen=True)
class Polygons:
    """A small mesh: positions and faces of three or more corners."""

    vertices: list[tuple[float, float, float]]
    faces: list[tuple[int, ...]]

    @classmethod
    def prism(cls, dice: Dice) -> Polygons:
        """A closed prism, somewhere, whose caps are polygons; its sides are quads or triangles."""
        import math

        corners = dice.any((3, 4, 5, 8))
        size, far = dice.any((1.0, 1e-3, 250.0)), dice.any((0.0, 0.0, 1e6))
        circle = [2 * math.pi * k / corners for k in range(corners)]
        ring = [(far + size * math.cos(a), size * math.sin(a)) for a in circle]
        vertices = [(x, y, z) for z in (0.0, size) for x, y in ring]
        faces: list[tuple[int, ...]] = [tuple(range(corners))[::-1]]
        faces.append(tuple(range(corners, 2 * corners)))
        for k in range(corners):
            a, b = k, (k + 1) % corners
            faces.append((a, b, b + corners, a + corners))
        if dice.rng.random() < 0.5:
            faces = [(f[0], f[k], f[k + 1]) for f in faces for k in range(1, len(f) - 1)]
        return cls(vertices, faces)
