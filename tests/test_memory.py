"""Work that cannot fit into memory is refused before it begins."""

import resource

import pytest
import torch

from geom_miner import memory
from geom_miner.errors import OutOfMemory
from geom_miner.memory import explain_memory, format_bytes, free_memory, require_memory


def test_amounts_are_written_with_a_unit() -> None:
    amounts = (0, 999, 1000, 1_234_567, 21_500_000_000, 10**15, 10**40)
    words = ["0 bytes", "999 bytes", "1 kB", "1.23 MB", "21.5 GB", "1 PB", "1.0e+22 EB"]
    assert [format_bytes(amount) for amount in amounts] == words


def test_what_does_not_fit_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 10**9)
    require_memory(10**9, "work", "do less")
    with pytest.raises(OutOfMemory) as caught:
        require_memory(10**12, "work", "do less")
    sentence = "work needs at least 1 TB of memory and 1 GB are free; do less"
    assert str(caught.value) == sentence


def test_much_memory_is_said_and_little_is_not(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 8 * 10**9)
    require_memory(10**8, "work", "do less")
    require_memory(4 * 10**9, "work", "do less")
    assert caplog.messages == ["work needs at least 4 GB of memory, 8 GB are free"]


def test_a_limit_on_addresses_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    unlimited = free_memory()
    assert unlimited is not None
    taken = memory._table("/proc/self/status")["VmSize"]

    def limits(which: int) -> tuple[int, int]:
        most = taken + (64 << 20) if which == resource.RLIMIT_AS else resource.RLIM_INFINITY
        return most, resource.RLIM_INFINITY

    monkeypatch.setattr(resource, "getrlimit", limits)
    limited = free_memory()
    assert limited is not None
    # Other threads may map memory between the two looks at the process.
    assert 0 <= limited <= 128 << 20


def test_failed_allocations_of_torch_are_one_sentence() -> None:
    with pytest.raises(OutOfMemory, match=r"^out of memory; do less$"), explain_memory("do less"):
        torch.empty(1 << 60, dtype=torch.uint8)
    with pytest.raises(RuntimeError, match="something else"), explain_memory("do less"):
        raise RuntimeError("something else")
