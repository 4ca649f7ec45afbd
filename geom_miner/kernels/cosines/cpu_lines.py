"""Cosine transforms of ``LANES`` blocks at once: sample s of all of them lies at s * LANES.

For the usual block sizes the transform of a line is written out as vector instructions without a
loop (0.2 of the cycles that loops took); other sizes go through loops.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import cgutils

from geom_miner.compiled_cache import njit
from geom_miner.kernels.cosines.problem import cosine_matrix
from geom_miner.kernels.simd import (
    LANES,
    VECTOR,
    add,
    address,
    constant,
    fma,
    instruction,
    load,
    spread,
    store,
    subtract,
)

Floats = npt.NDArray[np.float32]


def half_matrices(size: int) -> Floats:
    """The even rows of the DCT on the first half of the samples, then the odd ones, flat.

    Even cosines are symmetric about the block's center and odd ones antisymmetric, so a transform
    needs half the products: of the sums, and of the differences, of opposite samples.
    """
    matrix = cosine_matrix(size).numpy()[:, : size // 2]
    return np.ascontiguousarray(np.concatenate([matrix[0::2], matrix[1::2]]).astype(np.float32))


class _Emitter:
    """Writes the vector instructions of a transform."""

    def __init__(self, builder: Any) -> None:
        self._builder = builder
        kind = ir.FunctionType(VECTOR, [VECTOR] * 3)
        find: Any = cgutils.get_or_insert_function
        self._fma = find(builder.module, kind, f"llvm.fma.v{LANES}f32")

    def forward(self, values: Sequence[Any], scale: float) -> list[Any]:
        """The orthonormal DCT times ``scale``: halves by symmetry down to an odd size."""
        size = len(values)
        if size % 2:
            return self._products(cosine_matrix(size).numpy() * scale, values)
        builder, half = self._builder, size // 2
        pairs = list(zip(values[:half], reversed(values[half:]), strict=True))
        sums = [builder.fadd(a, b) for a, b in pairs]
        differences = [builder.fsub(a, b) for a, b in pairs]
        even = self.forward(sums, scale * math.sqrt(0.5))
        odd = self._products(cosine_matrix(size).numpy()[1::2, :half] * scale, differences)
        return [value for pair in zip(even, odd, strict=True) for value in pair]

    def inverse(self, values: Sequence[Any], scale: float) -> list[Any]:
        """The inverse, times ``scale``."""
        size = len(values)
        if size % 2:
            return self._products(cosine_matrix(size).numpy().T * scale, values)
        builder, half = self._builder, size // 2
        even = self.inverse(values[0::2], scale * math.sqrt(0.5))
        odd = self._products(cosine_matrix(size).numpy()[1::2, :half].T * scale, values[1::2])
        pairs = list(zip(even, odd, strict=True))
        first = [builder.fadd(a, b) for a, b in pairs]
        return [*first, *reversed([builder.fsub(a, b) for a, b in pairs])]

    def _products(self, matrix: npt.NDArray[np.float64], values: Sequence[Any]) -> list[Any]:
        out = []
        for row in matrix:
            total = self._builder.fmul(_splat(row[0]), values[0])
            for factor, value in zip(row[1:], values[1:], strict=True):
                total = self._builder.call(self._fma, [_splat(factor), value, total])
            out.append(total)
        return out


def _splat(factor: float) -> Any:
    return ir.Constant(VECTOR, [float(np.float32(factor))] * LANES)


def _written_out(size: int, *, forward: bool) -> Callable[..., Any]:
    """An instruction (x, base, stride): transform a line of ``size`` samples in place."""

    @instruction
    def line(typing: Any, x: Any, base: Any, stride: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array, at, step = arguments
            pointers = []
            for _ in range(size):
                place = address(context, builder, signature.args[0], array, at)
                pointers.append(builder.bitcast(place, VECTOR.as_pointer()))
                at = builder.add(at, step)
            values = []
            for pointer in pointers:
                values.append(builder.load(pointer))
                values[-1].align = 4
            emitter = _Emitter(builder)
            results = (emitter.forward if forward else emitter.inverse)(values, 1.0)
            for pointer, value in zip(pointers, results, strict=True):
                builder.store(value, pointer).align = 4
            return context.get_dummy_value()

        return types.void(x, types.intp, types.intp), build

    return line


_forward_8, _inverse_8 = _written_out(8, forward=True), _written_out(8, forward=False)
_forward_16, _inverse_16 = _written_out(16, forward=True), _written_out(16, forward=False)


@njit(nogil=True)
def _forward_any(
    x: Floats, base: int, stride: int, matrices: Floats, size: int, scratch: Floats
) -> None:
    """The DCT of a line of ``size`` samples, ``stride`` floats apart, in place."""
    half = size // 2
    for j in range(half):
        a = load(x, base + j * stride)
        b = load(x, base + (size - 1 - j) * stride)
        store(scratch, j * LANES, add(a, b))
        store(scratch, (half + j) * LANES, subtract(a, b))
    for m in range(half):
        even = constant(np.float32(0))
        odd = constant(np.float32(0))
        for j in range(half):
            even = fma(spread(matrices, m * half + j), load(scratch, j * LANES), even)
            odd = fma(
                spread(matrices, (half + m) * half + j), load(scratch, (half + j) * LANES), odd
            )
        store(x, base + 2 * m * stride, even)
        store(x, base + (2 * m + 1) * stride, odd)


@njit(nogil=True)
def _inverse_any(
    x: Floats, base: int, stride: int, matrices: Floats, size: int, scratch: Floats
) -> None:
    """The inverse of ``_forward_any``."""
    half = size // 2
    for k in range(size):
        store(scratch, k * LANES, load(x, base + k * stride))
    for j in range(half):
        even = constant(np.float32(0))
        odd = constant(np.float32(0))
        for m in range(half):
            even = fma(spread(matrices, m * half + j), load(scratch, 2 * m * LANES), even)
            odd = fma(
                spread(matrices, (half + m) * half + j),
                load(scratch, (2 * m + 1) * LANES),
                odd,
            )
        store(x, base + j * stride, add(even, odd))
        store(x, base + (size - 1 - j) * stride, subtract(even, odd))


@njit(nogil=True)
def transform_axis(
    x: Floats,
    base: int,
    outer: int,
    size: int,
    inner: int,
    matrices: Floats,
    forward: bool,
    scratch: Floats,
) -> None:
    """Transform one axis of the samples that begin at ``base``, in place.

    Parameters
    ----------
    outer, size, inner : samples along the axes before, along this one, and along those behind it.
    matrices : the axis's half matrices.
    scratch : ``size`` * LANES floats.
    """
    stride = inner * LANES
    # The size is looked at outside of the loops: a call costs as much as a line of 8.
    if size == 8 and forward:
        for high in range(outer):
            for low in range(inner):
                _forward_8(x, base + (high * inner * 8 + low) * LANES, stride)
    elif size == 8:
        for high in range(outer):
            for low in range(inner):
                _inverse_8(x, base + (high * inner * 8 + low) * LANES, stride)
    elif size == 16 and forward:
        for high in range(outer):
            for low in range(inner):
                _forward_16(x, base + (high * inner * 16 + low) * LANES, stride)
    elif size == 16:
        for high in range(outer):
            for low in range(inner):
                _inverse_16(x, base + (high * inner * 16 + low) * LANES, stride)
    else:
        for high in range(outer):
            for low in range(inner):
                at = base + (high * inner * size + low) * LANES
                if forward:
                    _forward_any(x, at, stride, matrices, size, scratch)
                else:
                    _inverse_any(x, at, stride, matrices, size, scratch)


@njit(nogil=True)
def transform_axes(
    x: Floats,
    base: int,
    shape: npt.NDArray[np.int64],
    first: int,
    matrices: Floats,
    offsets: npt.NDArray[np.int64],
    forward: bool,
    scratch: Floats,
) -> None:
    """Transform the axes from ``first`` on of the samples that begin at ``base``, in place.

    Parameters
    ----------
    shape : samples per axis.
    matrices, offsets : half matrices of all axes one after another, and where each begins.
    """
    inner = 1
    for axis in range(first, len(shape)):
        inner *= shape[axis]
    outer = 1
    for axis in range(first, len(shape)):
        size = shape[axis]
        inner //= size
        half = matrices[offsets[axis] : offsets[axis + 1]]
        transform_axis(x, base, outer, size, inner, half, forward, scratch)
        outer *= size
