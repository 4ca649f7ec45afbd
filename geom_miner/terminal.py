"""Text for the terminal: names come from files, and none of them may steer what prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console, RenderableType
from rich.text import Text

if TYPE_CHECKING:
    from rich.status import Status


def printable(text: str) -> str:
    """The text with everything that is not printed shown as Python escapes it, such as ``\\x1b``.

    That is control characters, line breaks among them, marks that turn the direction of writing,
    and the stand-ins for bytes of a file name that are no UTF-8.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class Terminal(Console):
    """A console that prints text as it is: without markup, and control characters escaped.

    Line breaks are kept, as a report has several lines; ``printable`` escapes those of a name.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Every string that is printed, and every cell and title of a table, passes here."""
        lines = map(printable, text.split("\n"))
        return super().render_str("\n".join(lines), **{**options, "markup": False, "emoji": False})

    def status(self, status: RenderableType, **options: Any) -> Status:
        """Words that are shown while work goes on; Rich would read markup in a string."""
        if isinstance(status, str):
            status = Text(printable(status))
        return super().status(status, **options)
