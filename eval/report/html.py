"""Views as HTML, rendered from the templates beside this module."""

from __future__ import annotations

import base64
from functools import cache
from pathlib import Path
from typing import Any

from geom_miner.errors import missing_extra


def render(template: str, **values: Any) -> str:
    """Render a template; texts are escaped.

    Raises
    ------
    BackendUnavailable
        Jinja is not installed.
    """
    text: str = _environment().get_template(template).render(values)
    return text


@cache
def _environment() -> Any:
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        raise missing_extra("HTML needs Jinja", "eval") from error
    environment = Environment(
        loader=PackageLoader("eval.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"base64": _base64, "pixels": _pixels}
    return environment


def _base64(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode("ascii")


def _pixels(picture: Path) -> tuple[int, int]:
    """Width and height of a picture."""
    from PIL import Image

    with Image.open(picture) as image:
        return image.size
