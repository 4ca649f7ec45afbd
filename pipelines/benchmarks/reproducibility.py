"""Whether a fit's file depends on memory, threads or being killed: it must not, byte by byte."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from eval.isolation import in_own_process, limit_threads
from eval.shapes import find_shape
from geom_miner import (
    Target,
    VoxelizeSettings,
    fit_to_file,
    mesh_target,
    preset,
)
from geom_miner.errors import SettingsError
from geom_miner.fit import AnySettings, FitStatus, Observer, parse_memory
from geom_miner.terminal import Terminal
from pipelines.benchmarks.warm_up import warm_up

# Batches of the finest scale that a fit has on disk when it is killed.
KEPT_BATCHES = 2


@dataclass(frozen=True)
class RepeatedFit:
    """One fit of a shape."""

    shape: str
    resolution: int
    preset: str
    memory: str


class BatchCounter(Observer):
    """Counts the batches of the finest scale that have begun."""

    def __init__(self) -> None:
        self.begun = 0
        self._last_step: int | None = None

    def on_progress(self, status: FitStatus) -> None:
        if status.scale == 0:
            # Steps rise within a batch; whatever does not is a batch's first report.
            self.begun += self._last_step is None or status.step <= self._last_step
            self._last_step = status.step


class _Killer(BatchCounter):
    """Kills its process in the batch after those to keep; a note says when."""

    def __init__(self, note: Path) -> None:
        super().__init__()
        self._note, self._cpu = note, time.process_time()

    def on_progress(self, status: FitStatus) -> None:
        super().on_progress(status)
        if self.begun > KEPT_BATCHES:
            spent = time.process_time() - self._cpu
            self._note.write_text(json.dumps({"batches": self.begun, "cpu_seconds": spent}))
            os.kill(os.getpid(), signal.SIGKILL)


def settings_at(resolution: int, preset_name: str) -> AnySettings:
    """The preset with as many scales as leave the coarsest one the same at all resolutions."""
    return replace(preset(preset_name).settings, scales=max(1, resolution.bit_length() - 5))


def compare_files(
    shape: str, resolution: int, preset_name: str, memories: Sequence[str], threads: Sequence[int]
) -> list[dict[str, Any]]:
    """Fit for every amount of memory with the most threads, and for the others with the first."""
    pairs = [(memory, max(threads)) for memory in memories]
    pairs += [(memories[0], count) for count in sorted(threads)[:-1]]
    rows = []
    for memory, count in pairs:
        job = RepeatedFit(shape, resolution, preset_name, memory)
        with tempfile.TemporaryDirectory() as scratch, limit_threads(count):
            row = in_own_process(fit_once, job, Path(scratch) / "model.miner")
        rows.append({"threads": count, **row})
    return rows


def compare_after_kill(
    shape: str, resolution: int, preset_name: str, memory: str, threads: int
) -> dict[str, Any]:
    """Fit, fit again and kill that, let it go on, and compare.

    Raises
    ------
    SettingsError
        The finest scale has too few batches for the kill to be amid it.
    """
    job = RepeatedFit(shape, resolution, preset_name, memory)
    with tempfile.TemporaryDirectory() as scratch, limit_threads(threads):
        whole = in_own_process(fit_once, job, Path(scratch) / "whole.miner")
        if whole["batches"] <= KEPT_BATCHES:
            raise SettingsError(
                f"the finest scale of {shape} at {resolution}^3 must have more than "
                f"{KEPT_BATCHES} batches to be killed after them, got {whole['batches']} with "
                f"{memory}; give the fit less memory or raise the resolution"
            )
        path, note = Path(scratch) / "killed.miner", Path(scratch) / "killed.json"
        child = multiprocessing.get_context("spawn").Process(
            target=fit_until_killed, args=(job, path, note)
        )
        child.start()
        child.join()
        if child.exitcode != -signal.SIGKILL or path.exists():
            raise RuntimeError(f"the fit was to die of SIGKILL, it ended with {child.exitcode}")
        resumed = in_own_process(fit_once, job, path)
        killed = json.loads(note.read_text())
    spent = killed["cpu_seconds"] + resumed["cpu_seconds"]
    return {
        "uninterrupted": whole,
        "killed": killed,
        "resumed": resumed,
        "same": whole["sha256"] == resumed["sha256"],
        "redone_batches": killed["batches"] + resumed["batches"] - whole["batches"],
        "redone_cpu_share": spent / whole["cpu_seconds"] - 1,
    }


def fit_once(job: RepeatedFit, path: Path) -> dict[str, Any]:
    """Fit, or go on, in this process; facts of the file and of the work done for it."""
    import torch

    target, settings = _prepared(job)
    counter = BatchCounter()
    began, cpu = time.perf_counter(), time.process_time()
    result = fit_to_file(target, settings, path, observer=counter, memory=parse_memory(job.memory))
    return {
        **asdict(job),
        "torch_threads": torch.get_num_threads(),
        "batches": counter.begun,
        "resumed_scales": result.resumed_scales,
        "scales": settings.scales,
        "file_bytes": path.stat().st_size,
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - cpu,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


def fit_until_killed(job: RepeatedFit, path: Path, note: Path) -> None:
    """Fit and die without warning in the batch after those to keep; a note says when."""
    target, settings = _prepared(job)
    killer = _Killer(note)

    fit_to_file(target, settings, path, observer=killer, memory=parse_memory(job.memory))


def same_file_report(rows: Sequence[dict[str, Any]], kill: dict[str, Any] | None) -> list[str]:
    """Markdown lines."""
    lines: list[str] = []
    if rows:
        equal = len({row["sha256"] for row in rows}) == 1
        lines += [
            f"## Same file, {rows[0]['shape']} at {rows[0]['resolution']}^3",
            "",
            f"One file for all: {'yes' if equal else 'NO'}.",
            "",
            "| memory | threads | batches of the finest scale | CPU s | CPU s per s | bytes "
            "| SHA-256 begins |",
            "|---:|---:|---:|---:|---:|---:|---|",
        ]
        lines += [
            f"| {row['memory']} | {row['threads']} | {row['batches']} | {row['cpu_seconds']:.1f} "
            f"| {row['cpu_seconds'] / row['seconds']:.2f} | {row['file_bytes']:,} "
            f"| {row['sha256'][:16]} |"
            for row in rows
        ]
        lines.append("")
    if kill:
        whole, resumed = kill["uninterrupted"], kill["resumed"]
        lines += [
            f"## Killed and resumed, {whole['shape']} at {whole['resolution']}^3",
            "",
            f"SIGKILL in batch {kill['killed']['batches']} of the {whole['batches']} of the finest "
            f"scale; the rerun took over {resumed['resumed_scales']} of {whole['scales']} scales "
            f"and {KEPT_BATCHES} batches. "
            f"Same file as without: {'yes' if kill['same'] else 'NO'}. Redone: "
            f"{kill['redone_batches']} batch, the one in work; {kill['redone_cpu_share']:.1%} more "
            f"CPU seconds than the {whole['cpu_seconds']:.1f} without.",
            "",
        ]
    return lines


def _prepared(job: RepeatedFit) -> tuple[Target, AnySettings]:
    warm_up(job.preset)
    mesh = find_shape(job.shape, offline=True, console=Terminal(quiet=True)).mesh
    settings = settings_at(job.resolution, job.preset)
    target = mesh_target(
        mesh,
        preset(job.preset).target,
        VoxelizeSettings(job.resolution),
        scales=settings.scales,
        block_size=settings.block_size,
    ).target
    return target, settings
