"""Strike a command at a random moment, run it again, and compare with the uninterrupted run."""

from __future__ import annotations

import random
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from pipelines.campaigns.kill_jobs import (
    JOBS,
    KillJob,
    Running,
    contents,
    fresh_folder,
    orphans,
    printed,
    start,
)

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGSTOP)
# Statuses with which a command may end: done, one sentence, interrupted, or by the signal itself.
_ENDS = {0, 130, -signal.SIGKILL, -signal.SIGTERM, 128 + signal.SIGTERM}
# Seconds after which what a command has started must have ended, too.
_PATIENCE = 10.0
_MOST_STRIKES = 3


@dataclass(frozen=True)
class Uninterrupted:
    """What a job leaves when nothing happens, and the seconds it takes."""

    contents: dict[str, str]
    seconds: float


@dataclass(frozen=True)
class Strike:
    """How a job that was struck, once or several times, and then run again, ended.

    Parameters
    ----------
    moments : seconds after the start, and the signals that came then.
    kept : finished parts that the last strike left; the rerun has to take them over.
    faults : what must not be, in words; none if all is well.
    """

    job: str
    seed: int
    moments: tuple[tuple[str, float], ...]
    kept: int
    faults: tuple[str, ...]


def run_uninterrupted(name: str, good: Path, folder: Path) -> Uninterrupted:
    """Run a job once for its libraries' sake and once more to compare with."""
    job, seconds = JOBS[name], 0.0
    for _ in range(2):
        fresh_folder(folder, good, job)
        began = time.monotonic()
        status = start(job.words, folder).wait()
        seconds = time.monotonic() - began
        if status != 0:
            raise RuntimeError(f"{name} does not run: {printed(folder, 'err.txt')}")
    return Uninterrupted(contents(folder, job), seconds)


def strike(name: str, seed: int, whole: Uninterrupted, good: Path, folder: Path) -> Strike:
    """Strike a job one to three times at random moments, run it to its end, and look."""
    rng, job = random.Random(f"{name} {seed}"), JOBS[name]
    fresh_folder(folder, good, job)
    moments, faults, kept = [], [], 0
    for _ in range(rng.randint(1, _MOST_STRIKES)):
        how = rng.choice(SIGNALS)
        moment = rng.uniform(0, 1.05 * whole.seconds)
        moments.append((how.name, round(moment, 3)))
        faults += _strike_once(job, how, moment, folder)
        kept = job.kept(folder)
    status = start(job.words, folder).wait()
    errors = printed(folder, "err.txt")
    if status != 0 or "Traceback" in errors:
        faults.append(f"the rerun ended with status {status}: {errors[-300:]}")
    else:
        faults += _compare(job, whole, kept, folder)
    shutil.rmtree(folder)
    return Strike(name, seed, tuple(moments), kept, tuple(faults))


def _strike_once(job: KillJob, how: signal.Signals, moment: float, folder: Path) -> list[str]:
    (folder / "err.txt").unlink(missing_ok=True)
    running, faults = start(job.words, folder), []
    _wait_for_begin(running)
    running.process.join(moment)
    running.send(how)
    if how == signal.SIGSTOP:
        time.sleep(0.1)
        running.send(signal.SIGCONT)
    status = running.wait()
    errors = printed(folder, "err.txt")
    if status not in _ENDS:
        faults.append(f"{how.name} ended with status {status}")
    if how == signal.SIGSTOP and status != 0:
        faults.append(f"stopped and continued, it ended with status {status}")
    if "Traceback" in errors:
        faults.append(f"{how.name} left a traceback: {errors[-300:]}")
    deadline = time.monotonic() + _PATIENCE
    while (left := orphans(running.pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    if left:
        faults.append(f"{how.name} left {len(left)} processes running")
    return faults


def _wait_for_begin(running: Running) -> None:
    """Wait until the command itself runs; before, an interrupt ends what forks it instead."""
    deadline = time.monotonic() + _PATIENCE
    while not (running.folder / "err.txt").exists() and time.monotonic() < deadline:
        running.process.join(0.005)
        if running.process.exitcode is not None:
            return


def _compare(job: KillJob, whole: Uninterrupted, kept: int, folder: Path) -> list[str]:
    """What differs from the uninterrupted run."""
    found, faults = contents(folder, job), []
    extra, missing = found.keys() - whole.contents.keys(), whole.contents.keys() - found.keys()
    if extra:
        faults.append(f"left behind: {', '.join(sorted(extra))}")
    if missing:
        faults.append(f"missing: {', '.join(sorted(missing))}")
    differing = [k for k in found.keys() & whole.contents.keys() if found[k] != whole.contents[k]]
    if differing:
        faults.append(f"differs: {', '.join(sorted(differing))}")
    if (taken := job.taken_over(printed(folder, "out.txt"))) < kept and job.words[1] == "fit":
        faults.append(f"{kept} scales were finished and {taken} were taken over")
    return faults
