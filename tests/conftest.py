"""Markers that need hardware or data, decided in one place; and how hypothesis runs."""

from __future__ import annotations

import io
import os
import signal
from pathlib import Path

# Test processes side by side share the cores: threads that spin while they wait for one another
# waste them. PyTorch and Numba read these when they are imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("MKL_NUM_THREADS", "1")

import pytest
from hypothesis import settings

from geom_miner.terminal import Terminal

DATA_VARIABLE = "GEOM_MINER_DATA"

# Busy machines make deadlines flaky. CI repeats the same examples, so a failure is the change's.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

# A shell starts what it runs in the background with interrupts ignored, and children inherit that:
# tests of interrupts must find what a terminal gives.
signal.signal(signal.SIGINT, signal.default_int_handler)


def _data_folder() -> Path | None:
    """First folder of GEOM_MINER_DATA that exists."""
    for entry in filter(None, os.environ.get(DATA_VARIABLE, "").split(os.pathsep)):
        if Path(entry).is_dir():
            return Path(entry)
    return None


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    gpu_items = [item for item in items if item.get_closest_marker("gpu")]
    if gpu_items and not _has_gpu():
        for item in gpu_items:
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))
    if _data_folder() is None:
        for item in items:
            if item.get_closest_marker("data"):
                item.add_marker(pytest.mark.skip(reason=f"{DATA_VARIABLE} names no folder"))


@pytest.fixture
def data_dir() -> Path:
    """Folder with real meshes; tests that use it bear the marker ``data``."""
    folder = _data_folder()
    if folder is None:
        pytest.skip(f"{DATA_VARIABLE} names no folder")
    return folder


@pytest.fixture
def console() -> Terminal:
    """A console that remembers; its text is ``console.file.getvalue()``."""
    return Terminal(file=io.StringIO(), width=1000)
