"""environment.yml, requirements.lock and pyproject.toml say the same."""

from __future__ import annotations

import importlib.metadata
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
CONDA_TO_PYPI = {"pytorch": "torch", "python-build": "build"}
CONDA_ONLY = {"pip", "libusb"}  # the installer itself, and what Open3D loads
# What a checkout gets; gpu stays the user's choice.
EXTRAS = ("eval", "gltf", "open3d", "size", "docs", "dev")


def pyproject() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def required() -> dict[str, SpecifierSet]:
    """Name and bound of every requirement in pyproject, Python among them, markers left out."""
    project = pyproject()["project"]
    lines = list(project["dependencies"])
    for extra in EXTRAS:
        lines += project["optional-dependencies"][extra]
    wanted = {"python": SpecifierSet(project["requires-python"])}
    for requirement in map(Requirement, lines):
        name = canonicalize_name(requirement.name)
        if name != "geom-miner":  # dev includes eval by naming the project itself
            assert wanted.setdefault(name, requirement.specifier) == requirement.specifier, name
    return wanted


def environment() -> dict[str, SpecifierSet]:
    listed = {}
    entries = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    (from_pip,) = (entry["pip"] for entry in entries if isinstance(entry, dict))
    assert from_pip[-1] == "-e ."
    lines = [entry for entry in entries if isinstance(entry, str)] + from_pip[:-1]
    for requirement in map(Requirement, lines):
        name = canonicalize_name(CONDA_TO_PYPI.get(requirement.name, requirement.name))
        assert name not in listed, f"{name} is listed twice"
        listed[name] = requirement.specifier
    return listed


def lock() -> dict[str, Requirement]:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    kept = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert len({canonicalize_name(r.name) for r in kept}) == len(kept), "a name is locked twice"
    return {canonicalize_name(r.name): r for r in kept}


def test_conda_environment_has_every_requirement_with_its_bound() -> None:
    listed = environment()
    assert {name: listed.get(name) for name in required()} == required()


def test_conda_environment_has_nothing_else() -> None:
    assert environment().keys() - required().keys() == CONDA_ONLY


def test_lock_lines_are_exact() -> None:
    for name, requirement in lock().items():
        (pin,) = requirement.specifier
        assert pin.operator == "==", name
        assert "*" not in pin.version, name
        assert "+" not in pin.version, f"{name} is locked to a local build"


def test_lock_satisfies_every_requirement() -> None:
    locked = lock()
    for name, bound in required().items():
        if name != "python":
            (pin,) = locked[name].specifier
            assert bound.contains(pin.version, prereleases=True), name


def test_lock_can_build_the_project() -> None:
    # make setup installs without an isolated build, so the build system must be locked too.
    for requirement in map(Requirement, pyproject()["build-system"]["requires"]):
        (pin,) = lock()[canonicalize_name(requirement.name)].specifier
        assert requirement.specifier.contains(pin.version), requirement


def test_lock_has_the_markers_of_pyproject() -> None:
    for line in pyproject()["project"]["dependencies"]:
        requirement = Requirement(line)
        name = canonicalize_name(requirement.name)
        if name == "pymcubes":  # the one package without a wheel for every Python
            assert lock()[name].marker == requirement.marker
        else:
            assert lock()[name].marker is None, name


def test_lock_has_what_its_packages_need() -> None:
    locked = lock()
    for name in locked.keys() - {"torch"}:  # torch's own depend on the build, see the lock's header
        try:
            lines = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # of another platform
        for requirement in map(Requirement, lines):
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                (pin,) = locked[canonicalize_name(requirement.name)].specifier
                assert requirement.specifier.contains(pin.version, prereleases=True), name
