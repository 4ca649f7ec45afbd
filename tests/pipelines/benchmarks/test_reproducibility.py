"""One file for any memory, any threads and after a kill, at toy size."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from geom_miner import write_mesh
from geom_miner.errors import SettingsError
from pipelines.benchmarks.reproducibility import (
    BatchCounter,
    compare_after_kill,
    compare_files,
    same_file_report,
)
from tests.shapes import sphere


@pytest.fixture
def ball(tmp_path: Path) -> str:
    path = tmp_path / "ball.ply"
    write_mesh(path, sphere(3.0, (1.0, 2.0, 3.0)))
    return str(path)


def test_batches_are_counted_at_the_finest_scale() -> None:
    counter = BatchCounter()
    # A coarse batch; three rounds; one round that ends a batch as early as the next one begins it.
    for scale, step in [(1, 5), (1, 10), (0, 5), (0, 10), (0, 15), (0, 5), (0, 5), (0, 0)]:
        counter.on_progress(SimpleNamespace(scale=scale, step=step))
    assert counter.begun == 4


def test_file_does_not_depend_on_memory_or_threads(ball: str) -> None:
    rows = compare_files(ball, 128, "fast", ["1MB", "1GB"], [1, 2])
    assert [row["threads"] for row in rows] == [2, 2, 1]
    assert [row["torch_threads"] for row in rows] == [2, 2, 1]
    assert rows[0]["batches"] > rows[1]["batches"] == 1
    assert len({row["sha256"] for row in rows}) == 1
    assert "One file for all: yes" in "\n".join(same_file_report(rows, None))
    rows[1]["sha256"] = "0" * 64
    assert "One file for all: NO" in "\n".join(same_file_report(rows, None))


def test_killed_fit_goes_on_to_the_same_file(ball: str) -> None:
    found = compare_after_kill(ball, 128, "fast", "1MB", 1)
    assert found["same"]
    assert found["redone_batches"] == 1
    assert found["resumed"]["resumed_scales"] == found["resumed"]["scales"] - 1
    assert found["resumed"]["batches"] == found["uninterrupted"]["batches"] - 2
    assert "Same file as without: yes" in "\n".join(same_file_report([], found))


def test_kill_needs_batches(ball: str) -> None:
    with pytest.raises(SettingsError, match=r"more than 2 batches .* less memory"):
        compare_after_kill(ball, 32, "fast", "1GB", 1)
