"""How much memory is free, and one sentence where work would need more of it."""

from __future__ import annotations

import contextlib
import logging
import resource
from collections.abc import Iterator
from pathlib import Path

from geom_miner.errors import OutOfMemory

_LOG = logging.getLogger(__name__)

# From this need on it is said, whatever is free (1 GiB): less is no news beside what PyTorch takes.
_WORTH_SAYING = 1 << 30
# Words by which PyTorch and others report that memory could not be had, as RuntimeError.
_WORDS = ("can't allocate memory", "out of memory", "not enough memory", "can't start new thread")
_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")


def require_memory(need: int, work: str, remedy: str) -> None:
    """Refuse work that needs more memory than is free; say what it needs if that is much.

    Parameters
    ----------
    need : bytes that the work needs at least.
    work : what is done, such as "decoding scale 0".
    remedy : what to change.

    Raises
    ------
    OutOfMemory
        Less is free.
    """
    free = free_memory()
    if free is not None and need > free:
        raise OutOfMemory(
            f"{work} needs at least {format_bytes(need)} of memory and {format_bytes(free)} are "
            f"free; {remedy}"
        )
    if need >= _WORTH_SAYING:
        rest = "" if free is None else f", {format_bytes(free)} are free"
        _LOG.warning("%s needs at least %s of memory%s", work, format_bytes(need), rest)


@contextlib.contextmanager
def explain_memory(remedy: str) -> Iterator[None]:
    """Turn a failed allocation into one sentence with a remedy.

    Raises
    ------
    OutOfMemory
        An allocation failed.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemory(f"out of memory; {remedy}") from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory could not be had."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(word in text for word in _WORDS)
    )


def free_memory() -> int | None:
    """Bytes that this process can still take: of the machine, its control group and its limits.

    None where nothing is known.
    """
    known = [*_of_machine(), *_of_control_group(), *_of_limits()]
    return max(min(known), 0) if known else None


def format_bytes(number: int) -> str:
    """An amount with a unit: 1.2 GB."""
    amount, unit = float(number), 0
    while amount >= 999.5 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    return f"{amount:.3g} {_UNITS[unit]}" if amount < 999.5 else f"{amount:.1e} {_UNITS[unit]}"


def _of_machine() -> Iterator[int]:
    free = _table("/proc/meminfo")
    if "MemAvailable" in free:
        yield free["MemAvailable"] + free.get("SwapFree", 0)


def _of_control_group() -> Iterator[int]:
    """What is left of the limits of this process's control group (version 2) and those above."""
    try:
        line = Path("/proc/self/cgroup").read_text().strip().rpartition("\n")[2]
        here = Path("/sys/fs/cgroup") / line.rpartition(":")[2].lstrip("/")
    except OSError:
        return
    for folder in (here, *here.parents):
        with contextlib.suppress(OSError, ValueError):
            limit = int((folder / "memory.max").read_text())
            used = int((folder / "memory.current").read_text())
            stat = (folder / "memory.stat").read_text().split()
            cached = int(stat[stat.index("inactive_file") + 1])
            yield limit - used + cached


def _of_limits() -> Iterator[int]:
    """What is left of the limits that ``ulimit -v`` and ``ulimit -d`` set."""
    used = _table("/proc/self/status")
    for limit, name in ((resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData")):
        most, _ = resource.getrlimit(limit)
        if most != resource.RLIM_INFINITY and name in used:
            yield most - used[name]


def _table(path: str) -> dict[str, int]:
    """Bytes by name from a file with lines such as ``MemFree: 12 kB``."""
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return {}
    words = [line.split() for line in lines if line.endswith(" kB")]
    return {name.rstrip(":"): int(amount) * 1024 for name, amount, _ in words}
