"""Thread limits of new processes: set inside the block, restored after it."""

from __future__ import annotations

import os

import pytest

from eval.isolation import limit_threads, thread_environment


def test_no_limit_sets_no_variable() -> None:
    assert thread_environment(None) == {}
    assert set(thread_environment(3).values()) == {"3"}


def test_the_environment_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    before = dict(os.environ)
    with limit_threads(2):
        assert {name: os.environ[name] for name in thread_environment(2)} == thread_environment(2)
    assert dict(os.environ) == before
