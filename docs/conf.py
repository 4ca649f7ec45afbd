"""How Sphinx makes the documentation; `make docs` runs it."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import Any

from sphinx.util import logging

import eval
import geom_miner
from eval.clouds.files import CLOUD_SUFFIXES
from geom_miner.fit import PRESETS
from geom_miner.media import IMAGE_SUFFIXES, WRITABLE_IMAGE_SUFFIXES
from geom_miner.media.samples import WRITERS as SAMPLE_WRITERS
from geom_miner.mesh import MESH_SUFFIXES, WRITABLE_MESH_SUFFIXES
from geom_miner.targets import targets_of

project = "geom_miner"
author = "geom_miner contributors"
project_copyright = f"{author}, under the MIT license"
release = geom_miner.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary"]
exclude_patterns = ["_build"]
# Links to headings are checked, on the page and across pages.
myst_heading_anchors = 3
myst_enable_extensions = ["substitution"]

# Furo loads nothing from the network: system fonts, scripts and styles beside the pages.
html_theme = "furo"
html_title = f"geom_miner {release}"
html_show_sphinx = False

# A room's page shows what its door offers, in the order of the door.
autodoc_default_options = {"members": True, "imported-members": True, "undoc-members": True}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_type_aliases = {name: name for name in ("Floats", "npt.ArrayLike")}
autodoc_preserve_defaults = True
autosummary_generate = False
add_module_names = False
# A type such as bytes in a signature may be the name of several attributes, too.
suppress_warnings = ["ref.python"]
python_maximum_signature_line_length = 88


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def suffixes(known: Iterable[str]) -> str:
    """Suffixes in a sentence, each once."""
    return ", ".join(f"`{suffix}`" for suffix in dict.fromkeys(known))


# What pages insert by {{ name }}; the program itself works and prints from the same entries.
myst_substitutions = {
    "read_meshes": suffixes(MESH_SUFFIXES),
    "written_meshes": suffixes(WRITABLE_MESH_SUFFIXES),
    "read_images": suffixes(IMAGE_SUFFIXES),
    "written_samples": suffixes([*WRITABLE_IMAGE_SUFFIXES, *SAMPLE_WRITERS]),
    "written_volumes": suffixes(SAMPLE_WRITERS),
    "read_clouds": suffixes(CLOUD_SUFFIXES),
    "presets": table(
        ("preset", "target", "use"),
        ((f"`{name}`", f"`{entry.target}`", entry.summary) for name, entry in PRESETS.items()),
    ),
    "mesh_targets": table(
        ("target", "what it is"),
        ((f"`{name}`", target.summary) for name, target in targets_of("mesh").items()),
    ),
}

ALIAS = re.compile(r"TypeAliasForwardRef\('([\w.]+)'\)")
LOGGER = logging.getLogger(__name__)
SECTIONS = ("Parameters", "Attributes", "Returns", "Yields", "Raises")
# "name : text" or "one, other : text"; an error of "Raises" is a name alone.
ITEM = re.compile(r"(?P<names>\w+(?:, \w+)*) : (?P<text>.*)|(?P<error>[A-Z]\w+)$")
# Literals, with a letter that follows at once; and what would be markup outside of literals.
MARKUP = re.compile(r"(?P<literal>``.*?``)(?P<letter>\w?)|(?P<sign>[*|]|(?<=\w)_(?!\w))")


def escape(match: re.Match[str]) -> str:
    if match["sign"]:
        return f"\\{match['sign']}"
    return match["literal"] + (f"\\ {match['letter']}" if match["letter"] else "")


def to_fields(lines: list[str]) -> Iterator[str]:
    """Turn the sections of a docstring into field lists.

    The project's docstrings have NumPy's sections without types, which annotations give: an item is
    ``name : text``, where the usual extensions would take the text for a type.
    """
    text = iter(MARKUP.sub(escape, "\n".join(lines)).split("\n"))
    for line in text:
        if line not in SECTIONS:
            yield line
            continue
        next(text)  # the underline
        yield f":{line}:"
        in_item = False
        for entry in takewhile(str.strip, text):
            match = ITEM.match(entry)
            if match is None:
                yield f"      {entry.strip()}" if in_item else f"    {entry}"
                continue
            in_item = True
            names = (match["names"] or match["error"]).split(", ")
            yield f"    - {', '.join(f'**{name}**' for name in names)} -- {match['text'] or ''}"
        yield ""


def on_docstring(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = to_fields(lines)


def on_signature(
    app: Any,
    what: str,
    name: str,
    obj: Any,
    options: Any,
    arguments: str | None,
    result: str | None,
) -> tuple[str | None, str | None] | None:
    """Write aliases of types by their names in unions, too."""
    if arguments is None and result is None:
        return None
    return arguments and ALIAS.sub(r"\1", arguments), result and ALIAS.sub(r"\1", result)


def check_doors(app: Any, env: Any) -> None:
    """Warn of every class and function that a door offers and no page describes."""
    described = {name.rpartition(".")[2] for name in env.domains.python_domain.objects}
    doors = [geom_miner, eval]
    for package in tuple(doors):
        for entry in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            if entry.ispkg:
                doors.append(importlib.import_module(entry.name))
    for door in doors:
        for name in getattr(door, "__all__", ()):
            value = getattr(door, name)
            if name not in described and (inspect.isclass(value) or inspect.isfunction(value)):
                LOGGER.warning("docs/api describes no %s.%s", door.__name__, name)


def setup(app: Any) -> None:
    app.connect("autodoc-process-docstring", on_docstring)
    app.connect("autodoc-process-signature", on_signature)
    app.connect("env-check-consistency", check_doors)
