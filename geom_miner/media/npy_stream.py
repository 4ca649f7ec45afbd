"""Read NPY data without trusting its header: nothing is evaluated, and nothing allocated unseen.

NumPy's own reader evaluates the header as Python and allocates what it promises. Here three
entries are looked up, and the array is only made if its bytes are there.
Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass
from typing import IO

import numpy as np
import numpy.typing as npt

_MAGIC = b"\x93NUMPY"
# Bytes of a header at most, NumPy's own limit.
_LONGEST_HEADER = 10_000
_MOST_AXES = 32
_TYPE = re.compile(r"""['"]descr['"]\s*:\s*['"]([<>|=]?[fiu]\d{1,2})['"]""")
_ORDER = re.compile(r"""['"]fortran_order['"]\s*:\s*(True|False)\b""")
_SHAPE = re.compile(r"""['"]shape['"]\s*:\s*\(([\d\sL,]*)\)""")
_AXIS = re.compile(r"\d{1,18}(?=L?$)")


class NpyError(ValueError):
    """Bytes that are no NPY file of numbers."""


@dataclass(frozen=True)
class NpyHeader:
    """What an array is by its header."""

    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    fortran_order: bool

    @property
    def num_bytes(self) -> int:
        """Bytes of the samples that follow the header."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_npy_header(stream: IO[bytes]) -> NpyHeader:
    """Read the header of an NPY file of real numbers; the stream is then at the first one.

    Raises
    ------
    NpyError
        It is no NPY file, or holds something other than real numbers.
    """
    start = stream.read(8)
    if len(start) < 8 or start[:6] != _MAGIC or start[6] not in (1, 2, 3):
        raise NpyError("it does not begin as an NPY file does")
    width = struct.Struct("<H" if start[6] == 1 else "<I")
    length = stream.read(width.size)
    if len(length) < width.size or width.unpack(length)[0] > _LONGEST_HEADER:
        raise NpyError("its header has no usable length")
    text = stream.read(width.unpack(length)[0]).decode("latin-1")
    kind, order, shape = (pattern.findall(text) for pattern in (_TYPE, _ORDER, _SHAPE))
    rest = _SHAPE.sub("", _ORDER.sub("", _TYPE.sub("", text)))
    if not len(kind) == len(order) == len(shape) == 1 or rest.strip(" \r\n{},"):
        raise NpyError("its header must name one type of real numbers, one order and one shape")
    parts = [part.strip() for part in shape[0].split(",")]
    axes = [int(found[0]) for found in map(_AXIS.match, filter(None, parts)) if found]
    if len(axes) < len(list(filter(None, parts))):
        raise NpyError("its shape must be whole numbers")
    if len(axes) > _MOST_AXES:
        raise NpyError(f"an array has at most {_MOST_AXES} axes, got {len(axes)}")
    try:
        dtype: np.dtype[np.generic] = np.dtype(kind[0])
    except TypeError as error:
        raise NpyError(f"there is no type {kind[0]!r} of numbers") from error
    return NpyHeader(tuple(axes), dtype, order[0] == "True")


def read_npy(stream: IO[bytes], size: int) -> npt.NDArray[np.generic]:
    """Read an array of real numbers from a stream of ``size`` bytes, at its beginning.

    Raises
    ------
    NpyError
        See ``read_npy_header``; or the stream is shorter than the header says.
    """
    header = read_npy_header(stream)
    if header.num_bytes > size:
        raise NpyError(f"{header.num_bytes:,} bytes of numbers are promised, the file has {size:,}")
    return read_npy_values(stream, header)


def read_npy_values(stream: IO[bytes], header: NpyHeader) -> npt.NDArray[np.generic]:
    """Read the numbers behind a header that has been looked at.

    Raises
    ------
    NpyError
        There are fewer.
    """
    raw = stream.read(header.num_bytes)
    if len(raw) < header.num_bytes:
        raise NpyError(
            f"{header.num_bytes:,} bytes of numbers are promised, {len(raw):,} are there"
        )
    flat = np.frombuffer(raw, header.dtype)
    if header.fortran_order:
        return flat.reshape(header.shape[::-1]).T
    return flat.reshape(header.shape)
