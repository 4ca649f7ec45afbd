"""Peak arithmetic of a GPU in float32 without tensor cores, measured.

It has NOT run on a GPU yet; its arithmetic is checked through Triton's interpreter.
"""

# mypy: disable-error-code="assignment"

from __future__ import annotations

import torch
from torch import Tensor

from geom_miner.errors import missing_extra

try:
    import triton
    import triton.language as tl
except ImportError as error:
    raise missing_extra("measuring the peak of a GPU needs triton", "gpu") from error

# Eight numbers per thread are as many independent chains, which hide an FMA's latency.
_WARPS, _NUMBERS = 8, 2048
# FMAs per turn of the loop, so that its own instructions do not show.
_UNROLLED = 64


def fma_peak(tries: int) -> float:
    """FLOP/s of all multiprocessors together."""
    programs = 32 * torch.cuda.get_device_properties(0).multi_processor_count
    numbers, repeats = torch.empty(programs, _NUMBERS, device="cuda"), 2_000
    chains(numbers, 1)
    milliseconds = []
    for _ in range(tries):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        chains(numbers, repeats)
        end.record()
        end.synchronize()
        milliseconds.append(float(begin.elapsed_time(end)))
    return programs * _NUMBERS * repeats * _UNROLLED * 2 / (1e-3 * min(milliseconds))


def chains(numbers: Tensor, repeats: int) -> None:
    """Set each number to what ``64 * repeats`` rounds of x -> x / 2 + 0.3 make of its column."""
    _chain[(len(numbers),)](
        numbers, repeats, NUMBERS=numbers.shape[1], UNROLLED=_UNROLLED, num_warps=_WARPS
    )


@triton.jit(do_not_specialize=["repeats"])
def _chain(
    out: tl.tensor, repeats: tl.tensor, NUMBERS: tl.constexpr, UNROLLED: tl.constexpr
) -> None:
    column = tl.arange(0, NUMBERS)
    x = column.to(tl.float32)
    for _ in range(repeats):
        for _ in tl.static_range(UNROLLED):
            x = x * 0.5 + 0.3
    tl.store(out + tl.program_id(0).to(tl.int64) * NUMBERS + column, x)
