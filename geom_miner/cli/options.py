"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import tyro

Output = Annotated[Path, tyro.conf.arg(aliases=["-o"])]
Device = Literal["auto", "cpu", "cuda"]


def device_of(name: Device) -> str:
    """``cuda`` or ``cpu``; heavy modules are loaded only now."""
    from geom_miner.kernels.backends import choose_device

    return choose_device(name)
