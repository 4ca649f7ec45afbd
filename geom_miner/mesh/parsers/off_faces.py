"""The faces of an OFF file among its numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from geom_miner.compiled_cache import njit

# Numba is untyped.
# mypy: disallow-untyped-decorators=False

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@njit(nogil=True, cache=True)
def read_faces(
    numbers: Floats,
    ends_line: npt.NDArray[np.bool_],
    at: int,
    faces: int,
    vertices: int,
    to_line_end: bool,
) -> tuple[Ints, Ints, int]:
    """Read faces: each a number of corners, then that many vertex indices.

    Parameters
    ----------
    at : first number of the first face.
    faces : number of faces.
    vertices : number of vertices, which all indices must be smaller than.
    to_line_end : skip the numbers after a face up to the end of the line.

    Returns
    -------
    Corners of all faces, their number for each face, and the first number after the last face; -1
    if the numbers are no such faces.
    """
    corners, lengths = np.empty(len(numbers) - at, np.int64), np.empty(faces, np.int64)
    used = 0
    for face in range(faces):
        if at >= len(numbers):
            return corners[:0], lengths[:0], -1
        length = numbers[at]
        if not (0 <= length < len(numbers) - at) or length != np.floor(length):
            return corners[:0], lengths[:0], -1
        lengths[face] = np.int64(length)
        for k in range(at + 1, at + 1 + lengths[face]):
            if not (0 <= numbers[k] < vertices) or numbers[k] != np.floor(numbers[k]):
                return corners[:0], lengths[:0], -1
            corners[used] = np.int64(numbers[k])
            used += 1
        at += lengths[face]
        while to_line_end and not ends_line[at]:
            at += 1
        at += 1
    return corners[:used], lengths, at
