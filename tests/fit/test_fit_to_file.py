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
from geom_miner.grid.signal_info import SourceInfo
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


def test_a_result_prints_as_one_line(tmp_path: Path) -> None:
    result = fit(tmp_path / "model.miner")
    again = fit(tmp_path / "model.miner")
    model = "<Representation: signal, 40 x 40 x 40 samples, scales 1 to 0, "
    assert repr(result.representation).startswith(model)
    assert repr(result.representation).endswith(
        f"{result.representation.num_parameters:,} parameters>"
    )
    assert repr(again).startswith(f"<FitResult: {model}")
    assert repr(again).endswith(" s of fitting, 2 scales resumed>")


def test_memory_is_no_part_of_the_result(tmp_path: Path) -> None:
    fit(tmp_path / "batches.miner")
    target = as_target(ball(40), SETTINGS.block_size, SETTINGS.scales)
    fit_to_file(target, SETTINGS, tmp_path / "whole.miner")
    assert (tmp_path / "batches.miner").read_bytes() == (tmp_path / "whole.miner").read_bytes()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"width": 4, "steps": 10}, "steps 20 instead of 10, width 8 instead of 4"),
        ({"scales": 1}, "scales 2 instead of 1"),
    ],
)
def test_a_model_of_other_settings_is_replaced_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, change: dict[str, int], words: str
) -> None:
    model = tmp_path / "model.miner"
    fit(model)
    fit(model)
    assert not caplog.messages  # the same fit is there already
    fit(model, settings=replace(SETTINGS, **change))
    assert caplog.messages == [f"model.miner was fitted otherwise ({words}); fitting anew"]


def test_what_an_interrupted_fit_left_is_named_by_what_differs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Struck):
        fit(tmp_path / "model.miner", (0, 1))
    fit(tmp_path / "model.miner", settings=replace(SETTINGS, seed=1))
    assert caplog.messages == [
        "model.miner.part was fitted otherwise (seed 0 instead of 1); fitting anew"
    ]


def test_other_sources_sizes_and_programs_are_told_apart(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "model.miner"

    def refit(samples: int, name: str, radius: float = 0.7) -> str:
        caplog.clear()
        target = as_target(ball(samples, radius=radius), SETTINGS.block_size, SETTINGS.scales)
        info = replace(target.info, source=SourceInfo(name))
        fit_to_file(replace(target, info=info), SETTINGS, model)
        return " ".join(caplog.messages)

    assert refit(24, "ball") == ""
    assert "(resolution 24 instead of 16)" in refit(16, "ball")
    assert "(source ball instead of globe)" in refit(16, "globe")
    assert "(other contents of the source)" in refit(16, "globe", 0.3)
    monkeypatch.setattr("geom_miner.fit.file_fit._code_digest", lambda: "0" * 64)
    assert "(another state of the program)" in refit(16, "globe", 0.3)
    model.write_bytes(b"")
    assert refit(16, "globe", 0.3) == ""
