"""What a run was made with and what it cost: settings, versions, machine, memory."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import os
import platform
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

from geom_miner import __version__

_PACKAGES = (
    *("torch", "numpy", "scipy", "numba", "trimesh", "safetensors", "PyMCubes", "embreex"),
    # What files are compared with.
    *("DracoPy", "fast-simplification", "imagecodecs", "libigl", "meshopt", "open3d-cpu", "pillow"),
    "zstandard",
)


def manifest(*, config: dict[str, Any], seed: int, device: str, backend: str) -> dict[str, Any]:
    """Everything needed to repeat a run, JSON-able."""
    return {
        "config": config,
        "seed": seed,
        "device": device_name(device),
        "backend": backend,
        "versions": {"geom_miner": __version__, "python": platform.python_version(), **_versions()},
        "commit": _commit(),
        "machine": {"processor": _processor(), "cores": len(os.sched_getaffinity(0))},
    }


def portable(run: Any, **resolved: Any) -> dict[str, Any]:
    """A run's settings for its manifest: paths by their last part, resolved values on top."""
    values = {**dataclasses.asdict(run), **resolved}
    paths = {"shape", "image", "folder", "output"} & values.keys()
    return {**values, **{key: Path(values[key]).name for key in paths}}


def device_name(device: str) -> str:
    """The device in words for reports."""
    if device == "cuda":
        import torch

        return str(torch.cuda.get_device_name())
    return f"{_processor()}, {len(os.sched_getaffinity(0))} cores"


def peak_rss_bytes() -> int:
    """Largest resident memory of this process so far."""
    try:
        # getrusage would count what the parent held when it started this process.
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) if sys.platform == "darwin" else int(peak) * 1024


def _versions() -> dict[str, str]:
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _commit() -> str | None:
    """The checkout's commit, marked if files differ from it; None outside a checkout."""
    root = Path(__file__).parent
    try:
        out = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            cwd=root,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return out.stdout.strip()


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
