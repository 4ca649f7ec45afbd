"""A compilation is announced once; what is compiled already is not."""

from __future__ import annotations

import pytest
from numba import njit

from geom_miner.compile_notice import announce_compiling


def test_only_the_first_compilation_within_is_announced(caplog: pytest.LogCaptureFixture) -> None:
    @njit
    def double(value):  # type: ignore[no-untyped-def]
        return 2 * value

    @announce_compiling("doubling", 3)
    def work() -> tuple[float, int]:
        return double(1.5), double(2)  # two signatures, so two compilations

    assert work() == (3.0, 4)
    assert caplog.messages == ["compiling doubling: about 3 seconds, once on this machine"]
    assert work() == (3.0, 4)
    assert len(caplog.messages) == 1
    double(1j)
    assert len(caplog.messages) == 1  # compiled outside of the announced function


def test_an_announcement_within_another_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    @njit
    def tripled(x: float) -> float:
        return 3 * x

    with announce_compiling("the whole", 9), announce_compiling("a part", 3):
        assert tripled(2.0) == 6.0
    assert caplog.messages == ["compiling the whole: about 9 seconds, once on this machine"]
