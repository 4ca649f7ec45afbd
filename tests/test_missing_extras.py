"""Every import of an optional package is guarded, and its error names the extra that brings it."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from geom_miner.errors import missing_extra

ROOT = Path(__file__).parents[1]
# Where a package is imported under another name than it is installed by.
IMPORT_NAMES = {
    "fast-simplification": "fast_simplification",
    "libigl": "igl",
    "open3d-cpu": "open3d",
    "libusb-package": "libusb_package",
}
# Extras of contributors; nothing in the packages imports what only they bring.
CONTRIBUTORS = {"dev", "docs"}
# A library that a system may have without this package; the error is that of what loads it.
UNNAMED = {"libusb_package"}
# Imported by one module only, below the guarded import there.
BEHIND_A_GUARD = {"geom_miner/kernels/gpu_programs.py"}


def optional_modules() -> dict[str, set[str]]:
    """Import name of every package that only extras bring, and those extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = {Requirement(line).name for line in project["dependencies"]}
    extras: dict[str, set[str]] = {}
    for extra, lines in project["optional-dependencies"].items():
        for name in {Requirement(line).name for line in lines} - required:
            if extra not in CONTRIBUTORS:
                extras.setdefault(IMPORT_NAMES.get(name, name), set()).add(extra)
    return extras


def complaints(source: str) -> list[str]:
    """Imports of optional packages whose absence is not turned into an error with the extra."""
    optional = optional_modules()
    return [
        f"{module} is imported without a handler that names one of {sorted(optional[module])}"
        for module, extras in _imports(ast.parse(source), set())
        if module in optional and module not in UNNAMED and not extras & optional[module]
    ]


def _imports(node: ast.AST, extras: set[str]) -> Iterator[tuple[str, set[str]]]:
    """Top-level modules imported under a node, with the extras that handlers around them name."""
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    if isinstance(node, ast.Import):
        yield from ((alias.name.partition(".")[0], extras) for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield node.module.partition(".")[0], extras
    for child in ast.iter_child_nodes(node):
        guarded = isinstance(node, ast.Try) and child in node.body
        named = set().union(*map(_extras_named, node.handlers)) if guarded else set()
        yield from _imports(child, extras | named)


def _extras_named(handler: ast.ExceptHandler) -> set[str]:
    """Second arguments of ``missing_extra`` in a handler."""
    return {
        str(node.args[1].value)
        for node in ast.walk(handler)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "missing_extra"
        and isinstance(node.args[1], ast.Constant)
    }


def modules() -> list[str]:
    return [
        path.relative_to(ROOT).as_posix()
        for package in ("geom_miner", "eval", "pipelines")
        for path in sorted((ROOT / package).rglob("*.py"))
        if path.relative_to(ROOT).as_posix() not in BEHIND_A_GUARD
    ]


def test_a_module_names_the_extra_of_each_optional_package() -> None:
    wrong = {path: complaints((ROOT / path).read_text(encoding="utf-8")) for path in modules()}
    assert {path: found for path, found in wrong.items() if found} == {}


GUARDED = "try:\n    import zarr\nexcept ImportError as error:\n    raise missing_extra('', {})"


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("import zarr", 1),
        ("def f():\n    from matplotlib import pyplot", 1),
        ("try:\n    import igl\nexcept ImportError:\n    pass", 1),
        (GUARDED.format("'eval'"), 1),
        (GUARDED.format("'zarr'"), 0),
        ("if TYPE_CHECKING:\n    import zarr", 0),
        ("import numpy", 0),
    ],
)
def test_the_check_finds(source: str, count: int) -> None:
    assert len(complaints(source)) == count


def test_the_error_is_one_sentence_with_the_remedy() -> None:
    error = missing_extra("plots need matplotlib", "eval", instead="leave them out")
    assert str(error) == (
        'plots need matplotlib; install it with: pip install "geom_miner[eval]", or leave them out'
    )
