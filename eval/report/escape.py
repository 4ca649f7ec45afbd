"""Text that Markdown shows as it is: names and messages come from files."""

from __future__ import annotations

import re

from geom_miner.terminal import printable

# What begins code, a link, emphasis or a cell of a table.
_MARKS = re.compile(r"[\\`|*\[\]]")
# What begins a tag, and what would be read as a character's code.
_TAGS = re.compile(r"<|&(?=#?\w+;)")


def markdown_text(text: str) -> str:
    """Escape a text for Markdown, within a table or outside: one line without any markup."""
    line = printable(" ".join(text.split("\n")))
    tagless = _TAGS.sub(lambda found: {"<": "&lt;", "&": "&amp;"}[found[0]], line)
    return _MARKS.sub(r"\\\g<0>", tagless)
