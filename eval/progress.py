"""How long work of eval reports its progress: a share and a short status."""

from __future__ import annotations

from collections.abc import Callable

StatusProgress = Callable[[float, str], None]
"""Called with the share of the work that is done, in (0, 1], and a few words on its state."""
