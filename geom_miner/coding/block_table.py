"""Encode and decode the block table of a scale: which blocks are constant, varying, coded."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from geom_miner.coding.arithmetic import (
    COST,
    DECODE,
    ENCODE,
    MEASURE,
    Model,
    finish,
    is_finished,
    room_for,
    start_coder,
)
from geom_miner.coding.priors import fresh, priors
from geom_miner.coding.states import CODED, GOOD, PREDICTED, TOO_SHORT, code_states
from geom_miner.errors import BlockShapeError
from geom_miner.records import RecordError

Codes = npt.NDArray[np.int8]


def encode_states(codes: Codes, parents: Codes | None = None) -> bytes:
    """Encode what the blocks of a scale are, as far as their parents do not say it.

    Parameters
    ----------
    codes : (blocks along each axis): 1 varying without coefficients, 2 varying with some,
        -1 - p constant p of a palette. A block whose parent is constant has its parent's code.
    parents : the same of the next coarser scale, with half as many blocks along each axis, rounded
        up; None where there is none.

    Raises
    ------
    BlockShapeError
        Shapes do not match, a code has no meaning, or a block contradicts its constant parent.
    """
    parents = _checked(codes, parents)
    # A block that varies takes two decisions, constant p takes p + 2.
    decisions = 2 * codes.size + int(np.maximum(-codes.astype(np.int16), 0).sum())
    data = np.zeros(room_for(decisions), dtype=np.uint8)
    coder = start_coder(ENCODE, data)
    run_states(coder, data, fresh(priors(codes.ndim).table), codes, parents)
    return data[: finish(coder, data)].tobytes()


def states_bits(codes: Codes, parents: Codes | None = None) -> float:
    """The ideal length of an encoded block table in bits."""
    data = np.zeros(0, dtype=np.uint8)
    coder = start_coder(MEASURE, data)
    parents = _checked(codes, parents)
    run_states(coder, data, fresh(priors(codes.ndim).table), codes, parents)
    return float(coder[COST]) / 65536


def decode_states(
    data: bytes, counts: tuple[int, ...], parents: Codes | None = None, *, palette: int = 2
) -> Codes:
    """Decode what ``encode_states`` encoded; takes time and memory for ``counts`` blocks.

    Parameters
    ----------
    counts : blocks along each axis.
    palette : number of constants, at most 128.

    Raises
    ------
    RecordError
        No block table has these bytes; one sentence says what was seen.
    """
    parents = _parents(counts, parents)
    codes = np.ascontiguousarray(_inherited(counts, parents))
    buffer = np.frombuffer(data, dtype=np.uint8).copy()
    coder = start_coder(DECODE, buffer)
    state = run_states(coder, buffer, fresh(priors(codes.ndim).table), codes, parents, palette)
    if state != GOOD:
        wrong = (
            "it is cut short" if state == TOO_SHORT else f"it has constant {palette} of {palette}"
        )
        raise RecordError(f"a block table is damaged: {wrong}")
    if not is_finished(coder, buffer):
        raise RecordError("a block table is damaged: it does not end where its blocks do")
    return codes


def _checked(codes: Codes, parents: Codes | None) -> Codes:
    """The parents of codes that agree with them."""
    parents = _parents(codes.shape, parents)
    inherited = _inherited(codes.shape, parents)
    if codes.dtype != np.int8:
        raise BlockShapeError(f"codes must be int8, got {codes.dtype}")
    _check_meaning("codes", codes)
    if (codes != inherited)[inherited < 0].any():
        raise BlockShapeError("codes must be those of their parents where these are constant")
    return parents


def _parents(counts: tuple[int, ...], parents: Codes | None) -> Codes:
    """The parents' codes; without parents, blocks are coded as if all of them were coded."""
    shape = tuple((count + 1) // 2 for count in counts)
    if not 1 <= len(counts) <= 4 or min(counts) < 1:
        raise BlockShapeError(f"blocks must have 1 to 4 axes, none empty, got {counts}")
    if parents is None:
        return np.full(shape, CODED, dtype=np.int8)
    if parents.shape != shape or parents.dtype != np.int8:
        raise BlockShapeError(
            f"parents of {counts} blocks must be int8 {shape}, got {parents.dtype} {parents.shape}"
        )
    _check_meaning("parents", parents)
    return parents


def _check_meaning(name: str, codes: Codes) -> None:
    if ((codes == 0) | (codes > CODED)).any():
        raise BlockShapeError(f"{name} must be 1, 2, or below 0 for a constant")


def _inherited(counts: tuple[int, ...], parents: Codes) -> Codes:
    """The parent's code of every block."""
    for axis in range(len(counts)):
        parents = np.repeat(parents, 2, axis=axis)
    return parents[tuple(slice(count) for count in counts)]


def _varying(parents: Codes) -> npt.NDArray[np.int64]:
    """Coordinates (v, ndim) of the parents that vary, by ascending Morton id."""
    coordinates = np.argwhere(parents >= PREDICTED)
    ids = np.zeros(len(coordinates), dtype=np.int64)
    ndim = parents.ndim
    for bit in range(max(parents.shape).bit_length()):
        for axis in range(ndim):
            ids |= ((coordinates[:, axis] >> bit) & 1) << (bit * ndim + ndim - 1 - axis)
    return np.ascontiguousarray(coordinates[np.argsort(ids)])


def run_states(
    coder: npt.NDArray[np.int64],
    data: npt.NDArray[np.uint8],
    model: Model,
    codes: Codes,
    parents: Codes | None,
    palette: int = 128,
) -> int:
    """Code a block table in the coder's direction; returns what is wrong with the data, if any."""
    parents = _parents(codes.shape, parents)
    return int(
        code_states(
            coder,
            data,
            model,
            codes.reshape(-1),
            np.ascontiguousarray(parents).reshape(-1),
            _varying(parents),
            np.array(codes.shape, dtype=np.int64),
            palette,
        )
    )
