"""Open3D's door."""

from __future__ import annotations

import sys

import pytest

from eval import load_open3d
from geom_miner.errors import BackendUnavailable


def test_missing_open3d_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("open3d", "libusb_package"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(BackendUnavailable, match=r"Open3D cannot .*geom_miner\[open3d\]"):
        load_open3d()
