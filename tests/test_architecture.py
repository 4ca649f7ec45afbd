"""The arrows between packages and rooms, one door per dependency, small modules, light import."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("geom_miner", "eval", "pipelines")
MAY_IMPORT = {
    "geom_miner": {"geom_miner"},
    "eval": {"geom_miner", "eval"},
    "pipelines": {"geom_miner", "eval", "pipelines"},
}
# Modules beside the rooms that every room may use.
SHARED = {
    "errors",
    "atomic_files",
    "outputs",
    "scratch_files",
    "command_line",
    "compile_notice",
    "compiled_cache",
    "constraints",
    "memory",
    "records",
    "progress",
    "parallel",
    "file_formats",
    "file_kinds",
    "terminal",
}
# Rooms of geom_miner; every room may use itself and SHARED.
ROOMS: dict[str, set[str]] = {
    **{module: set() for module in SHARED},
    "coding": set(),
    "grid": set(),
    "kernels": set(),
    "mesh": {"grid"},
    "model": {"grid", "kernels"},
    "fit": {"grid", "kernels", "model", "storage"},
    "voxelize": {"mesh", "grid"},
    "points": {"mesh", "grid", "voxelize"},
    "targets": {"grid", "mesh", "voxelize", "points", "media"},
    "media": {"grid"},
    "extract": {"grid", "model", "mesh"},
    # kernels: the shape of an MLP, which the file records.
    "storage": {"model", "grid", "kernels", "coding"},
}
# The door, the tool and what only they use may use every room; no room may use them.
OPEN_ROOMS = {"__init__", "__main__", "cli", "fit_sources", "progress_bars"}
DOORS = {
    "trimesh": (
        "geom_miner/mesh/formats/trimesh_formats.py",
        "geom_miner/voxelize/embree.py",
        "pipelines/campaigns/corpus_readers.py",
    ),
    "mcubes": ("geom_miner/extract/cube_table.py",),
    "skimage": ("geom_miner/extract/cube_table.py",),
    "numba": (
        "geom_miner/compile_notice.py",
        "geom_miner/compiled_cache.py",
        "geom_miner/extract/cell_faces.py",
        "geom_miner/extract/cell_vertices.py",
        "geom_miner/kernels/cpu.py",
        "geom_miner/kernels/cosines/cpu.py",
        "geom_miner/kernels/cosines/cpu_lines.py",
        "pipelines/benchmarks/peak.py",
        "geom_miner/kernels/simd.py",
        "geom_miner/parallel.py",
        "geom_miner/voxelize/distance.py",
    ),
    "llvmlite": ("geom_miner/kernels/simd.py", "geom_miner/kernels/cosines/cpu_lines.py"),
    "triton": (
        "geom_miner/kernels/gpu.py",
        "geom_miner/kernels/gpu_programs.py",
        "pipelines/benchmarks/gpu_peak.py",
    ),
    "msgspec": ("geom_miner/records.py", "geom_miner/mesh/formats/gltf_document.py"),
    "igl": (
        "geom_miner/extract/decimation.py",
        "geom_miner/voxelize/winding.py",
        "eval/metrics/source_error.py",
    ),
    "embreex": ("geom_miner/voxelize/embree.py", "eval/pictures/stage.py"),
    "jinja2": ("eval/report/html.py",),
    "matplotlib": ("eval/pictures/",),
    "safetensors": ("geom_miner/storage/",),
    "PIL": (
        "geom_miner/media/",
        "eval/",
        "pipelines/campaigns/picture_inputs.py",
        "pipelines/studies/size_images.py",
    ),
    "open3d": ("eval/open3d_loader.py",),
    "zarr": ("geom_miner/media/formats/zarr_folder.py",),
    "DracoPy": ("geom_miner/mesh/formats/gltf_codecs.py", "pipelines/studies/size_coders.py"),
    "meshopt": ("geom_miner/mesh/formats/gltf_codecs.py", "pipelines/studies/size_coders.py"),
    "fast_simplification": ("pipelines/studies/size_coders.py",),
    "zstandard": ("pipelines/studies/size_coders.py",),
    "imagecodecs": ("pipelines/studies/size_images.py",),
}
LONGEST_MODULE = 350
LIGHT = ("torch", "numba", "msgspec", "trimesh", "open3d", "embreex", "triton", "kaolin")


def imports(source: str, path: str) -> set[str]:
    """Dotted names that a module imports, anywhere in it; relative ones made absolute.

    ``from a.b import c`` counts as a.b.c: c may be a module.
    """
    here = PurePosixPath(path).with_suffix("").parts
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(here[: len(here) - node.level]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def violations(source: str, path: str) -> list[str]:
    """What a module does that the architecture forbids; ``path`` is relative to the root."""
    parts = PurePosixPath(path).with_suffix("").parts
    package = parts[0]
    wrong = []
    for name in sorted(imports(source, path)):
        target = name.split(".")
        if target[0] in (*PACKAGES, "tests") and target[0] not in MAY_IMPORT[package]:
            wrong.append(f"{path}: {package} must not import {target[0]}")
        elif _around_the_door(package, target):
            wrong.append(f"{path}: {name} goes around the public door of {target[0]}")
        elif package == target[0] == "geom_miner" and len(parts) > 1:
            wrong += _room_violations(path, parts[1], target)
        doors = DOORS.get(target[0])
        if doors and not any(path == d or (d.endswith("/") and path.startswith(d)) for d in doors):
            wrong.append(f"{path}: {target[0]} is imported in {', '.join(doors)} only")
    if source.count("\n") > LONGEST_MODULE:
        wrong.append(f"{path}: more than {LONGEST_MODULE} lines")
    return wrong


def _around_the_door(package: str, target: list[str]) -> bool:
    """Whether a name of another package is taken from elsewhere than a door that offers it.

    Doors are the packages themselves, their rooms, and modules that lie beside the rooms.
    """
    if target[0] not in PACKAGES or target[0] == package:
        return False
    if len(target) == 2:
        return target[1] not in _offered(ROOT / target[0])
    place = ROOT.joinpath(*target[:2])
    if place.is_dir():
        return len(target) != 3 or target[2] not in _offered(place)
    return len(target) != 3 or not place.with_suffix(".py").is_file()


@cache
def _offered(place: Path) -> set[str]:
    """Names that a package's stub, or where there is none its ``__init__``, offers."""
    stub = place / "__init__.pyi"
    source = stub if stub.is_file() else place / "__init__.py"
    names = {"__version__"}
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign):
            for value in ast.walk(node.value):
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    names.add(value.value)
    return names


def _room_violations(path: str, room: str, target: list[str]) -> list[str]:
    if room in OPEN_ROOMS:
        return []
    if room not in ROOMS:
        return [f"{path}: {room} is no room of geom_miner"]
    other = target[1] if len(target) > 1 else "__init__"
    if other in {room, "__version__"} | SHARED | ROOMS[room]:
        return []
    return [f"{path}: {room} must not use {other}"]


def modules() -> list[str]:
    return [
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
    ]


@pytest.mark.parametrize("path", modules())
def test_module_keeps_the_architecture(path: str) -> None:
    assert violations((ROOT / path).read_text(encoding="utf-8"), path) == []


def test_no_door_offers_a_name_that_a_module_behind_it_has() -> None:
    """Importing such a module would put it in the place of what the door offers."""
    for package in PACKAGES:
        for stub in (ROOT / package).rglob("__init__.pyi"):
            modules = {path.stem for path in stub.parent.iterdir()}
            assert not modules & _offered(stub.parent), stub


def test_test_modules_are_small() -> None:
    lengths = {
        path.name: path.read_text(encoding="utf-8").count("\n")
        for path in (ROOT / "tests").rglob("*.py")
    }
    assert {name: n for name, n in lengths.items() if n > LONGEST_MODULE} == {}


@pytest.mark.parametrize(
    ("path", "source", "complaint"),
    [
        ("geom_miner/grid/a.py", "import eval", "must not import eval"),
        (
            "geom_miner/grid/a.py",
            "from pipelines.shape import ShapeRun",
            "must not import pipelines",
        ),
        ("eval/a.py", "def f():\n    import pipelines", "must not import pipelines"),
        ("eval/a.py", "from tests import conftest", "must not import tests"),
        ("eval/a.py", "from geom_miner.mesh.files import read_mesh", "around the public door"),
        ("pipelines/a.py", "from geom_miner import kernels", "around the public door"),
        ("pipelines/a.py", "import geom_miner.kernels", "around the public door"),
        ("pipelines/a.py", "from eval.metrics.image import psnr", "around the public door"),
        ("pipelines/a.py", "from eval.shapes.find import find_shape", "around the public door"),
        ("geom_miner/grid/a.py", "from ..model import decode", "grid must not use model"),
        ("geom_miner/kernels/a.py", "import geom_miner.grid.blocks", "kernels must not use grid"),
        ("geom_miner/fit/a.py", "from geom_miner import TriangleMesh", "fit must not use"),
        ("geom_miner/fit/a.py", "from geom_miner.mesh import files", "fit must not use mesh"),
        ("geom_miner/utils/a.py", "import geom_miner.grid", "no room"),
        ("geom_miner/mesh/files.py", "import trimesh", "mesh/formats/trimesh_formats.py"),
        ("geom_miner/model/a.py", "def f():\n    from numba import njit", "kernels/cpu.py"),
        ("pipelines/a.py", "import matplotlib.pyplot as plt", "eval/pictures/"),
        ("eval/report/a.py", "import jinja2", "eval/report/html.py"),
        ("geom_miner/grid/a.py", "x = 1\n" * 351, "more than 350 lines"),
    ],
)
def test_checker_finds(path: str, source: str, complaint: str) -> None:
    (found,) = violations(source, path)
    assert complaint in found


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("pipelines/a.py", "from geom_miner import read_mesh\nfrom eval import View"),
        ("pipelines/a.py", "from eval.shapes import find_shape"),
        ("pipelines/a.py", "from geom_miner.errors import MeshError"),
        ("pipelines/a.py", "from geom_miner.grid import BlockGrid"),
        ("geom_miner/fit/a.py", "from geom_miner.model.decode import decode"),
        ("geom_miner/fit/a.py", "from .settings import FitSettings"),
        ("geom_miner/cli.py", "from geom_miner.storage import reader"),
        ("eval/pictures/curves.py", "import matplotlib"),
    ],
)
def test_checker_allows(path: str, source: str) -> None:
    assert violations(source, path) == []


@pytest.mark.parametrize("module", ["geom_miner", "geom_miner.cli.main", "eval.__main__"])
def test_importing_a_door_or_a_command_line_is_light(module: str) -> None:
    script = f"import sys, {module}; print(*(m for m in {LIGHT!r} if m in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.split() == []
