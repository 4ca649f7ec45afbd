"""Find a method by name, and check that it can do what is requested."""

from __future__ import annotations

import importlib

from eval.errors import MethodError
from eval.methods.protocol import Method, Options, Source, SourceKind, kind_of, ndim_of

METHODS: dict[str, str] = {
    "miner": "eval.methods.miner:MINER",
    "poisson": "eval.methods.poisson:POISSON",
    "igr": "eval.methods.igr:IGR",
    "phase": "eval.methods.phase:PHASE",
    "phase-ff": "eval.methods.phase:PHASE_FF",
}
"""Address of each method, package.module:NAME, by the name in commands and configurations."""


def find_method(name: str) -> Method:
    """A method by its name in ``METHODS``, or any other one as ``package.module:NAME``.

    Raises
    ------
    MethodError
        There is no such method.
    ImportError
        A package that one of ``METHODS`` needs is not installed.
    """
    if name in METHODS:
        return _import_method(METHODS[name])
    if ":" not in name:
        raise MethodError(
            f"method must be one of {', '.join(METHODS)}, or package.module:NAME, got {name!r}"
        )
    try:
        return _import_method(name)
    except (ImportError, AttributeError) as error:
        raise MethodError(f"there is no method {name}: {error}") from error


def _import_method(address: str) -> Method:
    module, _, attribute = address.partition(":")
    method: Method = getattr(importlib.import_module(module), attribute)
    return method


def check_request(method: Method, source: Source, options: Options) -> None:
    """Refuse, before anything is computed, what the method says it cannot do.

    Raises
    ------
    MethodError
        The method has no such preset, or does not take sources of this kind or dimension.
    """
    check_preset(method, options.preset)
    kind, ndim = kind_of(source), ndim_of(source)
    if ndim not in method.dimensions:
        raise MethodError(
            f"{method.name} works in {' and '.join(map(str, method.dimensions))} dimensions, got "
            f"a source of {ndim}{_suggest_methods(kind, ndim)}"
        )
    if not _takes(method, kind):
        raise MethodError(f"{method.name} {_describe_mismatch(method, kind, ndim)}")


def check_preset(method: Method, name: str) -> None:
    """Refuse a preset that the method does not have."""
    if name not in method.presets:
        raise MethodError(
            f"preset of {method.name} must be one of {', '.join(method.presets)}, got {name!r}"
        )


def _takes(method: Method, kind: SourceKind) -> bool:
    return kind in method.takes or (kind == "oriented points" and "points" in method.takes)


def _describe_mismatch(method: Method, kind: SourceKind, ndim: int) -> str:
    """Why the method cannot use such a source, and what to do; without the subject."""
    if kind == "points" and "oriented points" in method.takes:
        return (
            "needs a normal for every point and the cloud has none; add columns nx, ny and nz that "
            f"point outward{_suggest_methods(kind, ndim, ', or')}"
        )
    remedy = ""
    if kind == "mesh":
        remedy = "; draw points on it: add --as points, or input: points in a configuration"
    return f"takes {' or '.join(sorted(method.takes))}, got a {kind}{remedy}"


def _suggest_methods(kind: SourceKind, ndim: int, joint: str = ";") -> str:
    """The end of a sentence that names the methods of ``METHODS`` that take such a source."""
    names = []
    for name in METHODS:
        try:
            method = find_method(name)
        except ImportError:
            continue
        if _takes(method, kind) and ndim in method.dimensions:
            names.append(name)
    return f"{joint} use {' or '.join(names)}" if names else ""
