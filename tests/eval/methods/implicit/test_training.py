"""Training: schedules, budgets, interrupts, and checkpoints that change nothing."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from eval.errors import MethodError
from eval.methods.igr import IGRLoss
from eval.methods.implicit import training
from eval.methods.implicit.checkpoint import Checkpoint
from eval.methods.implicit.networks import ImplicitNetwork, NetworkSettings
from eval.methods.implicit.sampling import CloudTensors, SampleCounts
from eval.methods.implicit.training import Loss, Schedule, TrainingSummary, train
from eval.methods.protocol import Budget

METADATA = {"method": "test", "seed": 0}
SCHEDULE = Schedule(steps=8, rate=1e-3, halve_every=3, floor=1e-4)


class Run:
    """A tiny run, always the same."""

    def __init__(self, path: Path | None = None, metadata: dict = METADATA) -> None:
        points = np.random.default_rng(0).normal(size=(80, 3))
        normals = points / np.linalg.norm(points, axis=1, keepdims=True)
        counts = SampleCounts(surface=16, anywhere=4, box=1.2)
        self.sampler = IGRLoss().sampler(CloudTensors(normals * 0.9, normals), counts)
        settings = NetworkSettings(depth=2, width=12, skip=1)
        self.network = ImplicitNetwork(3, settings, torch.Generator().manual_seed(0))
        self.generator = torch.Generator().manual_seed(0)
        self.checkpoint = None if path is None else Checkpoint(path, metadata)
        self.objective = IGRLoss()

    def train(self, progress=None, **budget) -> TrainingSummary:
        return train(
            self.network,
            self.sampler,
            self.objective,
            SCHEDULE,
            self.generator,
            budget=Budget(**budget),
            checkpoint=self.checkpoint,
            progress=progress,
        )

    @property
    def weights(self) -> list[torch.Tensor]:
        return [parameter.detach().clone() for parameter in self.network.parameters()]


def interrupt_at(step: int):
    """A progress function that interrupts the process as the user would."""

    def progress(share: float, status: str) -> None:
        if status.startswith(f"step {step},"):
            signal.raise_signal(signal.SIGINT)

    return progress


@pytest.fixture
def report_every_step(monkeypatch) -> None:
    monkeypatch.setattr(training, "_REPORT_SECONDS", 0.0)


def test_rate_is_halved_down_to_the_floor() -> None:
    schedule = Schedule(steps=100, rate=0.8, halve_every=20, floor=0.15)
    shares = (0.0, 0.19, 0.2, 0.4, 0.6, 1.0)
    assert [schedule.rate_at(share) for share in shares] == [0.8, 0.8, 0.4, 0.2, 0.15, 0.15]


def test_ends_with_the_schedule_or_the_budget_in_steps() -> None:
    for budget, steps in (({}, 8), ({"steps": 3}, 3), ({"steps": 12}, 12)):
        assert Run().train(**budget).steps == steps
    assert Run().train(steps=5, seconds=1e4).steps == 5


def test_seconds_end_a_run_with_the_lowest_rate(monkeypatch) -> None:
    """By a clock that advances a second a step, whatever the machine's."""
    now = iter(range(10**6))
    monkeypatch.setattr(training.time, "monotonic", lambda: float(next(now)))
    rates = []
    monkeypatch.setattr(Schedule, "rate_at", lambda self, share: rates.append(share) or 1e-3)
    trained = Run().train(seconds=20)
    assert trained.steps == 20
    assert trained.seconds == 20
    assert rates == [step / 20 for step in range(20)]


def test_loss_goes_down_and_progress_is_reported(report_every_step) -> None:
    reports = []
    Run().train(lambda share, status: reports.append((share, status)), steps=150)
    assert [share for share, _ in reports] == [(step + 1) / 150 for step in range(150)]
    first, last = (float(status.split("normals ")[1]) for _, status in (reports[0], reports[-1]))
    assert last < 0.5 * first


def test_same_seed_same_weights() -> None:
    one, two = Run(), Run()
    one.train()
    two.train()
    assert all(map(torch.equal, one.weights, two.weights))


def test_interrupted_run_continues_as_if_nothing_had_happened(tmp_path, report_every_step) -> None:
    whole = Run()
    whole.train()
    path = tmp_path / "run.npz"
    for step in (3, 5):
        with pytest.raises(KeyboardInterrupt):
            Run(path).train(interrupt_at(step))
        # The current step is finished first.
        assert int(np.load(path)["step 0"]) == step + 1
    resumed = Run(path)
    assert resumed.train().steps == 8
    assert all(map(torch.equal, whole.weights, resumed.weights))
    assert torch.equal(whole.generator.get_state(), resumed.generator.get_state())
    # The checkpoint of a finished run is only read, and it is the only file.
    finished = Run(path)
    assert finished.train().steps == 8
    assert all(map(torch.equal, whole.weights, finished.weights))
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.npz"]


def test_interrupts_work_as_before_afterwards() -> None:
    Run().train()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_checkpoint_is_written_at_intervals(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(training, "_SAVE_SECONDS", 0.0)
    run, saved = Run(tmp_path / "run.npz"), []
    monkeypatch.setattr(run.checkpoint, "save", lambda training: saved.append(training.steps))
    run.train(steps=4)
    assert saved == [1, 2, 3, 4]


def test_checkpoint_of_another_run_is_refused(tmp_path) -> None:
    path = tmp_path / "run.npz"
    Run(path).train(steps=2)
    with pytest.raises(MethodError, match=r"another run, which differs in seed; delete it"):
        Run(path, {**METADATA, "seed": 1}).train(steps=2)


@pytest.mark.parametrize("damage", ["cut", "flipped", "text", "empty", "folder"])
def test_damaged_checkpoint_is_refused(tmp_path, damage) -> None:
    path = tmp_path / "run.npz"
    Run(path).train(steps=2)
    content = path.read_bytes()
    middle = len(content) // 2
    if damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        damaged = {
            "cut": content[:middle],
            "flipped": content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :],
            "text": b"no checkpoint",
            "empty": b"",
        }
        path.write_bytes(damaged[damage])
    with pytest.raises(MethodError, match="damaged or not a checkpoint; delete it"):
        Run(path).train(steps=2)


def test_pickles_are_not_read(tmp_path) -> None:
    path = tmp_path / "run.npz"
    np.savez(path, head=np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(MethodError, match="damaged or not a checkpoint"):
        Run(path).train(steps=2)


def test_path_that_cannot_be_written_is_refused(tmp_path) -> None:
    with pytest.raises(MethodError, match="cannot write"):
        Run(tmp_path / "missing" / "run.npz").train(steps=2)


def test_divergence_is_an_error_and_is_not_kept(tmp_path) -> None:
    run = Run(tmp_path / "run.npz")

    def objective(network: ImplicitNetwork, batch: object) -> Loss:
        total = network(torch.full((1, 3), 1e38)).sum() * 1e38
        return Loss(total, {"surface": total})

    run.objective = objective
    with pytest.raises(MethodError, match="diverged"):
        run.train(steps=2)
    assert list(tmp_path.iterdir()) == []
