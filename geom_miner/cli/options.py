"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import tyro

Output = Annotated[Path, tyro.conf.arg(aliases=["-o"])]
Force = Annotated[
    bool,
    tyro.conf.arg(help="Replace a file that another program wrote; an input is never replaced."),
]
Device = Literal["auto", "cpu", "cuda"]


def device_of(name: Device) -> str:
    """``cuda`` or ``cpu``; heavy modules are loaded only now."""
    from geom_miner.kernels.backends import choose_device

    return choose_device(name)
