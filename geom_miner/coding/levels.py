"""Sparse integer coefficients of blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from geom_miner.errors import BlockShapeError

# Largest magnitude of a level, 2^20: 16 bits of a sample, times the gain of a block's transform.
MOST_LEVEL = 1 << 20


@dataclass(frozen=True, eq=False)
class BlockLevels:
    """Nonzero integers of rows; a row is one channel of one block, blocks first.

    Parameters
    ----------
    offsets : (rows + 1,) int64, where each row begins in the other two.
    places : (n,) int32, flat row-major index of a frequency in its block, ascending in a row.
    levels : (n,) int32, nonzero, at most 2^20 in magnitude.
    """

    offsets: npt.NDArray[np.int64]
    places: npt.NDArray[np.int32]
    levels: npt.NDArray[np.int32]

    def __post_init__(self) -> None:
        for name, kind in (("offsets", np.int64), ("places", np.int32), ("levels", np.int32)):
            array = getattr(self, name)
            if array.ndim != 1 or array.dtype != kind:
                raise BlockShapeError(
                    f"{name} must be one axis of {kind.__name__}, got {array.dtype} {array.shape}"
                )
        offsets, count = self.offsets, len(self.levels)
        if not len(offsets) or offsets[0] or offsets[-1] != count or (np.diff(offsets) < 0).any():
            raise BlockShapeError(f"offsets must ascend from 0 to the number of levels, {count}")
        if len(self.places) != count:
            raise BlockShapeError(
                f"places must be as many as levels, {count}, not {len(self.places)}"
            )
        begins = np.zeros(count + 1, dtype=bool)
        begins[offsets] = True
        ascends = (np.diff(self.places) > 0) | begins[1:count] if count else np.ones(0, dtype=bool)
        if not ascends.all() or self.places.min(initial=0) < 0:
            raise BlockShapeError("places must be >= 0 and ascend within a row; sort them")
        if (
            not self.levels.all()
            or np.abs(self.levels.astype(np.int64)).max(initial=0) > MOST_LEVEL
        ):
            raise BlockShapeError(
                f"levels must be nonzero and within {MOST_LEVEL}; coarsen the step"
            )

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.offsets) - 1

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, BlockLevels) and all(
            np.array_equal(getattr(self, name), getattr(other, name))
            for name in ("offsets", "places", "levels")
        )

    def rows(self, first: int, last: int) -> BlockLevels:
        """Rows ``first`` to ``last`` - 1."""
        offsets = self.offsets[first : last + 1]
        inside = slice(offsets[0], offsets[-1])
        return BlockLevels(offsets - offsets[0], self.places[inside], self.levels[inside])

    @classmethod
    def of_dense(cls, rows: npt.NDArray[np.integer[Any]]) -> BlockLevels:
        """The nonzeros of dense rows (rows, samples)."""
        row, place = np.nonzero(rows)
        offsets = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum(np.bincount(row, minlength=len(rows)), out=offsets[1:])
        return cls(offsets, place.astype(np.int32), rows[row, place].astype(np.int32))

    def to_dense(self, samples: int) -> npt.NDArray[np.int32]:
        """All levels, zeros included (rows, samples)."""
        dense = np.zeros((len(self), samples), dtype=np.int32)
        row = np.repeat(np.arange(len(self)), np.diff(self.offsets))
        dense[row, self.places] = self.levels
        return dense
