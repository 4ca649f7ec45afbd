"""The wheel, installed outside the checkout: it is complete, runs, and names missing extras."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from geom_miner import write_mesh
from tests.shapes import box

ROOT = Path(__file__).parents[1]
SHIPPED = ("geom_miner", "eval")
# Packages of the extras, which a plain installation lacks.
EXTRAS = (
    *("DracoPy", "embreex", "igl", "jinja2", "matplotlib", "meshopt", "open3d", "triton", "zarr"),
)
HIDE = f"import sys; sys.modules.update(dict.fromkeys({EXTRAS}))\n"
# Runs commands given as JSON in one process, since each start would load torch anew.
RUN_ALL = """
import contextlib, io, json, sys
from geom_miner.cli.main import main
outcomes = []
for arguments in json.loads(sys.argv[1]):
    errors = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
        status = main(arguments)
    outcomes.append((status, errors.getvalue()))
print(json.dumps(outcomes))
"""
TINY = (
    *("--resolution", "16", "--scales", "1", "--block-size", "8", "--width", "8", "--depth", "2"),
    *("--steps", "20", "--device", "cpu"),
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("build", reason="build is not installed: make setup")
    pytest.importorskip("hatchling", reason="hatchling is not installed: make setup")
    folder = tmp_path_factory.mktemp("dist")
    command = ["build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True)
    (path,) = folder.iterdir()
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the programs of an environment with the wheel, beside this one's dependencies."""
    venv = tmp_path_factory.mktemp("clean") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    programs = venv / "bin"
    (site,) = venv.glob("lib/python*/site-packages")
    search_path = sys.path  # noqa: TID251 (read, not edited)
    others = [entry for entry in search_path if entry and Path(entry).resolve() != ROOT]
    (site / "dependencies.pth").write_text("\n".join(others) + "\n")
    (site / "hide.pth").write_text(HIDE)
    options = ["--no-deps", "--no-index", "--quiet", str(wheel)]
    install = ["pip", "--python", str(programs / "python"), "install", *options]
    subprocess.run([sys.executable, "-m", *install], check=True, capture_output=True)
    take_over_compiled_code(site)
    return programs


def take_over_compiled_code(site: Path) -> None:
    """Spare the installed copy the compiling that this checkout has done.

    Numba takes compiled code from ``__pycache__`` if the date and size of the source agree.
    """
    for source in (ROOT / "geom_miner").rglob("*.py"):
        copy = site / source.relative_to(ROOT)
        times = source.stat()
        os.utime(copy, ns=(times.st_atime_ns, times.st_mtime_ns))
    for pattern in ("*.nbi", "*.nbc", "*.sha256"):
        for compiled in (ROOT / "geom_miner").rglob(f"__pycache__/{pattern}"):
            copy = site / compiled.relative_to(ROOT)
            copy.parent.mkdir(exist_ok=True)
            shutil.copy2(compiled, copy)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("elsewhere")
    write_mesh(folder / "box.ply", box())
    return folder


def run(workplace: Path, *command: object) -> str:
    """Standard output of a command that must succeed, run outside the checkout."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        list(map(str, command)),
        cwd=workplace,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_holds_every_file_of_its_packages(wheel: Path) -> None:
    ignored = {"__pycache__"}
    expected = {
        path.relative_to(ROOT).as_posix()
        for package in SHIPPED
        for path in (ROOT / package).rglob("*")
        if path.is_file() and not ignored & set(path.parts)
    }
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == expected
    assert {"geom_miner/py.typed", "eval/py.typed", "geom_miner/__init__.pyi"} <= names


def test_the_tool_runs_outside_the_checkout(installed: Path, workplace: Path) -> None:
    import geom_miner

    version = run(workplace, installed / "geom-miner", "--version")
    assert version == f"geom-miner {geom_miner.__version__}\n"
    origin = run(workplace, installed / "python", "-c", "import eval; print(eval.__file__)")
    assert Path(origin.strip()).is_relative_to(installed.parent)
    overview = run(workplace, installed / "geom-miner", "--help")
    for command in ("fit", "compare", "evaluate", "reconstruct"):
        assert f"\n  {command} " in overview


def test_without_extras_it_works_and_names_what_is_missing(
    installed: Path, workplace: Path
) -> None:
    works = (
        ["fit", "box.ply", "-o", "box.miner", "--backend", "reference", *TINY],
        ["info", "box.miner"],
    )
    lacks = (
        ("decimate", ["extract", "box.miner", "-o", "meshes", "--triangles", "100"]),
        ("eval", ["voxelize", "box.ply", "--inside", "winding", "--resolution", "16"]),
        ("eval", ["compare", "box.ply", "box.ply", "--samples", "1000", "--iou-mesh", "0"]),
        ("gpu", ["fit", "box.ply", "-o", "gpu.miner", "--backend", "gpu", *TINY]),
        ("zarr", ["decode", "box.miner", "-o", "box.zarr"]),
    )
    commands = json.dumps([*works, *(command for _, command in lacks)])
    outcomes = json.loads(run(workplace, installed / "python", "-c", RUN_ALL, commands))
    for status, errors in outcomes[: len(works)]:
        assert status == 0, errors
    for (extra, _), (status, errors) in zip(lacks, outcomes[len(works) :], strict=True):
        sentence = errors.splitlines()[-1]
        assert status == 1
        assert sentence.startswith("error: ")
        assert f'install it with: pip install "geom_miner[{extra}]"' in sentence
