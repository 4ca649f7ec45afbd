"""A fit on disk goes on where it stopped, also in the middle of a scale."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import geom_miner.fit.scale_fit
from geom_miner.fit.file_fit import FitResult, fit_to_file
from geom_miner.fit.history import FitStatus
from geom_miner.fit.observer import Observer
from geom_miner.fit.settings import FitSettings
from geom_miner.storage import sections
from geom_miner.storage.writer import part_path
from tests.signals import as_target, ball

SETTINGS = FitSettings(scales=2, block_size=8, width=8, steps=20, coarse_steps=20)


class Struck(Exception):
    """What ends a fit in these tests."""


def fit(
    path: Path, strike_at: tuple[int, int] | None = None, settings: FitSettings = SETTINGS
) -> FitResult:
    """Fit a ball in batches of five blocks; strike at (scale, batch, from 1 on)."""
    target = as_target(ball(40), settings.block_size, settings.scales)

    class Striker(Observer):
        batches = 0

        def on_progress(self, status: FitStatus) -> None:
            if strike_at and status.scale == strike_at[0]:
                self.batches += status.step <= 5
                if self.batches == strike_at[1]:
                    raise Struck

    return fit_to_file(target, settings, path, observer=Striker(), memory=0)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(geom_miner.fit.scale_fit, "_SMALLEST_BATCH", 5)


def tags(path: Path) -> list[str]:
    return [section.tag for section in sections.walk(path)]


@pytest.mark.parametrize(("scale", "batch"), [(0, 1), (0, 3), (1, 2)])
def test_a_struck_fit_goes_on_after_its_last_batch(tmp_path: Path, scale: int, batch: int) -> None:
    whole = fit(tmp_path / "whole.miner")
    with pytest.raises(Struck):
        fit(tmp_path / "model.miner", (scale, batch))
    left = tags(part_path(tmp_path / "model.miner"))
    assert left == ["HEADER", *["SCALE"] * (1 - scale), *["BATCH"] * (batch - 1)]
    result = fit(tmp_path / "model.miner")
    assert (tmp_path / "model.miner").read_bytes() == (tmp_path / "whole.miner").read_bytes()
    assert tags(tmp_path / "model.miner") == ["HEADER", "SCALE", "SCALE", "END"]
    again, before = (
        sum(entry.block_steps for entry in r.history if entry.scale == scale)
        for r in (result, whole)
    )
    assert (again < before) == (batch > 1)


def test_batches_of_another_fit_are_no_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tmp_path / "model.miner"
    with pytest.raises(Struck):
        fit(model, (0, 3))
    monkeypatch.setattr(f"{__name__}.SETTINGS", replace(SETTINGS, seed=5))
    fit(tmp_path / "whole.miner")
    fit(model)
    assert model.read_bytes() == (tmp_path / "whole.miner").read_bytes()


def test_a_damaged_batch_costs_itself_and_what_follows(tmp_path: Path) -> None:
    model = tmp_path / "model.miner"
    fit(tmp_path / "whole.miner")
    with pytest.raises(Struck):
        fit(model, (0, 4))
    part = part_path(model)
    ends = [section.end for section in sections.walk(part)]
    part.write_bytes(part.read_bytes()[: ends[-1] - 10])
    fit(model)
    assert model.read_bytes() == (tmp_path / "whole.miner").read_bytes()


def test_memory_is_no_part_of_the_result(tmp_path: Path) -> None:
    fit(tmp_path / "batches.miner")
    target = as_target(ball(40), SETTINGS.block_size, SETTINGS.scales)
    fit_to_file(target, SETTINGS, tmp_path / "whole.miner")
    assert (tmp_path / "batches.miner").read_bytes() == (tmp_path / "whole.miner").read_bytes()
