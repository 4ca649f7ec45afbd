"""Run commands where something is missing: space, rights, a terminal, or sole use of the output."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.campaigns.kill_jobs import JOBS, contents, fresh_folder
from pipelines.campaigns.strikes import Uninterrupted

_ROOT = Path(__file__).parents[2]
# Sizes at which writing fails: before, within and at the end of the outputs.
_SIZES = (64, 2_000, 20_000)
_PATIENCE = 900.0


@dataclass(frozen=True)
class Outcome:
    """How a command ended under a condition.

    Parameters
    ----------
    sentence : the last line of its error stream.
    faults : what must not be, in words.
    """

    condition: str
    job: str
    status: int
    sentence: str
    faults: tuple[str, ...]


@dataclass(frozen=True)
class Setting:
    """Where and how a command is started.

    Parameters
    ----------
    read_only : folders that the command finds read-only.
    must_fail : whether it cannot succeed; otherwise status 0 and equal files are expected.
    stdout_closed : whether nobody reads the answer: a command that has one may then end with status
        1 and without a word, as its files are complete.
    """

    folder: Path
    prepare: Callable[[], None] | None = None
    environment: dict[str, str] | None = None
    read_only: tuple[Path, ...] = ()
    must_fail: bool = False
    stdout_closed: bool = False


def try_conditions(name: str, whole: Uninterrupted, good: Path, folder: Path) -> Iterator[Outcome]:
    """Run a job under every condition that this machine allows."""
    for size in _SIZES:
        with _place(name, good, folder) as place:
            limit = Setting(place, lambda size=size: _limit_files(size), must_fail=True)  # type: ignore[misc]
            yield _outcome(f"files of at most {size:,} bytes", name, limit, whole)
    yield from _full_disks(name, whole, good)
    with _place(name, good, folder) as place:
        yield _outcome("standard output closed", name, Setting(place, lambda: os.close(1)), whole)
    with _place(name, good, folder) as place:
        setting = Setting(place, stdout_closed=True)
        yield _outcome("nobody reads standard output", name, setting, whole)
    with _place(name, good, folder) as place:
        setting = Setting(place, os.setsid, {"TERM": "", "LANG": "C", "PYTHONUTF8": "0"})
        yield _outcome("no terminal, ASCII", name, setting, whole)
    if can_mount_read_only():
        yield from _read_only(name, whole, good, folder)
    with _place(name, good, folder) as place:
        yield _two_at_once(name, place, whole)


@contextlib.contextmanager
def _place(name: str, good: Path, folder: Path) -> Iterator[Path]:
    yield fresh_folder(folder, good, JOBS[name])
    shutil.rmtree(folder, ignore_errors=True)


def _limit_files(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def _full_disks(name: str, whole: Uninterrupted, good: Path) -> Iterator[Outcome]:
    """On a file system of little space; nothing where none can be mounted."""
    with tempfile.TemporaryDirectory() as base:
        for kilobytes in (0, 64):
            given = sum((good / each).stat().st_size for each in JOBS[name].given)
            size = f"size={given // 4096 * 4 + 16 + kilobytes}k"
            mount = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", base]
            if subprocess.run(mount, capture_output=True).returncode != 0:
                return
            try:
                place = fresh_folder(Path(base) / "disk", good, JOBS[name])
                words = f"a disk with {16 + kilobytes} kB left"
                yield _outcome(words, name, Setting(place, must_fail=True), whole, rerun=False)
            finally:
                subprocess.run(["umount", base], check=True)


def can_mount() -> bool:
    """Whether this process may mount a small file system."""
    with tempfile.TemporaryDirectory() as base:
        mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", base]
        if subprocess.run(mount, capture_output=True).returncode != 0:
            return False
        subprocess.run(["umount", base], check=True)
        return True


def can_mount_read_only() -> bool:
    """Whether a command can be given folders that are read-only for it alone."""
    with tempfile.TemporaryDirectory() as base:
        words = _in_read_only((Path(base),), ["touch", f"{base}/file"])
        done = subprocess.run(words, capture_output=True, text=True)
    return done.returncode != 0 and "Read-only" in done.stderr


def _read_only(name: str, whole: Uninterrupted, good: Path, folder: Path) -> Iterator[Outcome]:
    """Where neither the home nor the package can be written, and where the folder cannot."""
    home = {"HOME": "/proc/nonexistent", "XDG_CACHE_HOME": "", "NUMBA_CACHE_DIR": ""}
    with _place(name, good, folder) as place:
        packages = (_ROOT / "geom_miner", _ROOT / "eval")
        setting = Setting(place, environment=home, read_only=packages)
        yield _outcome("home and package cannot be written", name, setting, whole)
    with _place(name, good, folder) as place:
        setting = Setting(place, read_only=(place,), must_fail=True)
        yield _outcome("the folder cannot be written", name, setting, whole)


def _in_read_only(folders: Sequence[Path], words: Sequence[str]) -> list[str]:
    """The command with a view of its own of the file system, in which folders are read-only."""
    script = (
        'while [ "$1" != -- ]; do mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" || '
        'exit 99; shift; done; shift; cd / && cd "$OLDPWD" && exec "$@"'
    )
    alone = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "-r", "--mount"]
    return [*alone, "sh", "-c", script, "sh", *map(str, folders), "--", *words]


def _start(name: str, setting: Setting) -> subprocess.Popen[str]:
    """Start a job as users do, by a new interpreter."""
    words = [sys.executable, "-m", *JOBS[name].words]
    if setting.read_only:
        words = _in_read_only(setting.read_only, words)
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
    environment = {
        key: value
        for key, value in {**environment, **(setting.environment or {})}.items()
        if value or key == "TERM"
    }
    process = subprocess.Popen(
        words,
        cwd=setting.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=environment,
        preexec_fn=setting.prepare,
    )
    if setting.stdout_closed and process.stdout is not None:
        process.stdout.close()
        process.stdout = None
    return process


def _outcome(
    condition: str, name: str, setting: Setting, whole: Uninterrupted, *, rerun: bool = True
) -> Outcome:
    process = _start(name, setting)
    errors = _errors(process)
    faults = _faults(process.returncode, errors, silent=setting.stdout_closed)
    if setting.must_fail and process.returncode == 0 and _found(name, setting) != whole.contents:
        faults.append("it ended with status 0 and wrote something else")
    if not (setting.must_fail or setting.stdout_closed) and process.returncode != 0:
        faults.append(f"it ended with status {process.returncode}")
    if rerun:
        again = _start(name, Setting(setting.folder))
        later = _errors(again)
        faults += [f"the rerun: {fault}" for fault in _faults(again.returncode, later)]
        if _found(name, setting) != whole.contents:
            faults.append(_difference(_found(name, setting), whole.contents))
    return Outcome(condition, name, process.returncode, _last_line(errors), tuple(faults))


def _two_at_once(name: str, place: Path, whole: Uninterrupted) -> Outcome:
    """Two runs on one output: each succeeds or is refused, and the files are those of one run."""
    first, second = (_start(name, Setting(place)) for _ in range(2))
    ends = [_errors(process) for process in (first, second)]
    statuses = [first.returncode, second.returncode]
    pairs = zip(statuses, ends, strict=True)
    faults = [fault for status, errors in pairs for fault in _faults(status, errors)]
    if 0 not in statuses:
        faults.append("neither of them succeeded")
    found = _found(name, Setting(place))
    if found != whole.contents:
        faults.append(_difference(found, whole.contents))
    refused = next((e for s, e in zip(statuses, ends, strict=True) if s != 0), ends[0])
    return Outcome("two at once", name, max(statuses), _last_line(refused), tuple(faults))


def _errors(process: subprocess.Popen[str]) -> str:
    """What a command has printed on its error stream when it ends; one that does not is killed."""
    try:
        return process.communicate(timeout=_PATIENCE)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()[1]


def _faults(status: int, errors: str, *, silent: bool = False) -> list[str]:
    faults = []
    if "Traceback" in errors:
        faults.append(f"a traceback: {_last_line(errors)}")
    if status not in (0, 1):
        faults.append(f"status {status}")
    if status == 1 and "error: " not in errors and not silent:
        faults.append("status 1 without a sentence")
    return faults


def _found(name: str, setting: Setting) -> dict[str, str]:
    return contents(setting.folder, JOBS[name])


def _difference(found: dict[str, str], expected: dict[str, str]) -> str:
    names = sorted({*found, *expected})
    return f"differs: {', '.join(n for n in names if found.get(n) != expected.get(n))}"


def _last_line(errors: str) -> str:
    return (errors.strip().splitlines() or [""])[-1]
