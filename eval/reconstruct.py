"""The command ``reconstruct``: points or a mesh in one file, a surface in another."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from rich.console import Console

from eval.errors import MethodError
from geom_miner.command_line import INTERRUPTED

if TYPE_CHECKING:
    from rich.table import Table

    from eval.methods import Contours, Method, Reconstruction, Source
    from geom_miner import TriangleMesh

# What a surface is written as, by its dimensions.
SURFACE_SUFFIXES = {2: ".npz", 3: ".ply"}


@dataclass(frozen=True)
class ReconstructSettings:
    """Turn points or a mesh into a surface, by any of the methods."""

    source: tyro.conf.Positional[Path]
    """Points as .ply without faces, .xyz, .npy or .npz, with normals if the method needs them; or a
    mesh."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Mesh to write, .ply; of points in two dimensions the lines, .npz: line_0, line_1, ..."""
    method: str
    """miner, poisson, igr, phase or phase-ff."""
    preset: str | None = None
    """One of the method's presets, instead of its first."""
    seconds: float | None = None
    """Longest time to optimize, meshing not included."""
    steps: int | None = None
    """Most optimizer steps."""
    seed: int = 0
    """The same seed, source and steps give the same surface."""
    resolution: int = 256
    """Samples along the longest side of the grid that the surface is cut out of."""
    take_as: Annotated[Literal["file", "points"], tyro.conf.arg(name="as")] = "file"
    """What to take a mesh as: what it is, or points drawn on it."""
    samples: int = 200_000
    """Points to draw on a mesh."""
    ignore_normals: tyro.conf.FlagCreatePairsOff[bool] = False
    """Use the points without their normals."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""
    checkpoint: Path | None = None
    """File to go on from after an interrupt, kept in the end. Without it there is one beside the
    output, which is removed in the end."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print the figures as JSON instead of a table."""

    def run(self, console: Console) -> int:
        """Reconstruct the surface; the exit status is 130 after an interrupt, else 0."""
        return _reconstruct(self, console)


def read_source(settings: ReconstructSettings) -> Source:
    """The points or the mesh of the settings' file; points drawn on it if they ask for these.

    Raises
    ------
    GeomMinerError
        The file cannot be read, or is no mesh where points are to be drawn on one.
    """
    from eval.clouds.files import holds_cloud, read_cloud
    from eval.clouds.from_mesh import sample_cloud
    from eval.clouds.point_cloud import PointCloud
    from geom_miner import read_mesh

    if holds_cloud(settings.source):
        cloud = read_cloud(settings.source)
    else:
        mesh = read_mesh(settings.source)
        if settings.take_as == "file":
            return mesh
        cloud = sample_cloud(mesh, settings.samples, settings.seed)
    return PointCloud(cloud.points) if settings.ignore_normals else cloud


def _reconstruct(settings: ReconstructSettings, console: Console) -> int:
    from eval.methods import Budget, Options, find_method
    from geom_miner.kernels import choose_device
    from geom_miner.progress_bars import WorkBar

    method = find_method(settings.method)
    budget = Budget(settings.seconds, settings.steps)
    device = choose_device(settings.device)
    with WorkBar(console, f"reading {settings.source.name}"):
        source = read_source(settings)
    _check(settings, method, source)
    checkpoint = settings.checkpoint or settings.output.with_name(
        f"{settings.output.name}.{method.name}.checkpoint"
    )
    try:
        with WorkBar(console, method.title) as bar:
            found = method.reconstruct(
                source,
                Options(
                    preset=settings.preset or next(iter(method.presets)),
                    budget=budget,
                    resolution=settings.resolution,
                    seed=settings.seed,
                    device=device,
                    checkpoint=checkpoint,
                    progress=_teller(console, bar, method.title),
                ),
            )
        write_surface(settings.output, found.surface, _comment(settings, method))
    except KeyboardInterrupt:
        console.print(_what_is_kept(checkpoint), style="yellow", soft_wrap=True, highlight=False)
        return INTERRUPTED
    if settings.checkpoint is None:
        for path in _files_of(checkpoint):
            path.unlink(missing_ok=True)
    facts = _facts(settings, method, device, found)
    out = Console()
    if settings.json:
        out.out(json.dumps(facts, indent=2), highlight=False)
    else:
        out.print(_table(facts, found))
        for note in found.notes:
            out.print(note, highlight=False, markup=False, soft_wrap=True)
    return 0


def _check(settings: ReconstructSettings, method: Method, source: Source) -> None:
    """Say no to what would fail in the end, or with a worse sentence."""
    from eval.clouds.point_cloud import PointCloud
    from eval.methods import kind_of

    ndim = source.ndim if isinstance(source, PointCloud) else 3
    if kind_of(source) == "mesh" and "mesh" not in method.takes:
        raise MethodError(
            f"{method.name} takes points and {settings.source} is a mesh; add --as points to draw "
            "some on it"
        )
    if ndim not in method.dimensions:
        known = " and ".join(map(str, method.dimensions))
        raise MethodError(
            f"{method.name} works in {known} dimensions and {settings.source} has {ndim}; take "
            "another method"
        )
    if settings.output.suffix.lower() != SURFACE_SUFFIXES[ndim]:
        raise MethodError(
            f"output must end in {SURFACE_SUFFIXES[ndim]} for points in {ndim} dimensions, got "
            f"{settings.output}"
        )
    if not settings.output.parent.is_dir():
        raise MethodError(f"{settings.output.parent} is no folder; make it, or choose another")


def _teller(console: Console, bar: Any, title: str) -> Callable[[float, str], None]:
    def tell(share: float, words: str) -> None:
        # In a log every new description would be a line of its own.
        if console.is_terminal:
            bar.describe(f"{title}: {words}")
        bar(share)

    return tell


def write_surface(path: Path, surface: TriangleMesh | Contours, comment: str) -> None:
    """Write a mesh as PLY, or lines as an NPZ archive of line_0, line_1, ..., (n, 2) float64 each;
    completely or not at all.

    Raises
    ------
    MeshError
        The file cannot be written; an earlier one is left as it was.
    """
    import numpy as np

    from eval.methods import Contours
    from geom_miner import write_mesh
    from geom_miner.atomic_files import new_file
    from geom_miner.errors import MeshError

    if isinstance(surface, Contours):
        lines = {f"line_{index}": line for index, line in enumerate(surface.lines)}
        with new_file(path, MeshError) as stream:
            np.savez(stream, allow_pickle=False, **lines)
    else:
        write_mesh(path, surface, comments=[comment])


def _comment(settings: ReconstructSettings, method: Method) -> str:
    return f"{settings.source.name} reconstructed by {method.title}"


def _files_of(checkpoint: Path) -> list[Path]:
    """The checkpoint, and what a method keeps beside it under longer names."""
    if not checkpoint.parent.is_dir():
        return []
    return sorted(
        path for path in checkpoint.parent.iterdir() if path.name.startswith(checkpoint.name)
    )


def _what_is_kept(checkpoint: Path) -> str:
    kept = _files_of(checkpoint)
    if not kept:
        return "interrupted before there was anything to keep"
    return f"interrupted; {kept[0]} has what is done, run the same command again to go on"


def _facts(
    settings: ReconstructSettings, method: Method, device: str, found: Reconstruction
) -> dict[str, Any]:
    from eval.methods import Contours

    if isinstance(found.surface, Contours):
        size = {"lines": len(found.surface.lines)}
    else:
        size = {"vertices": len(found.surface.vertices), "faces": len(found.surface.faces)}
    return {
        "source": str(settings.source),
        "output": str(settings.output),
        "method": method.name,
        "preset": settings.preset or next(iter(method.presets)),
        "seed": settings.seed,
        "resolution": settings.resolution,
        "device": device,
        **size,
        "seconds": {**asdict(found.timings), "total": found.timings.total},
        "peak_rss_bytes": found.peak_rss_bytes,
        "parameters": found.parameters,
        "bytes": found.bytes,
        "steps": found.steps,
        "notes": list(found.notes),
    }


def _table(facts: Mapping[str, Any], found: Reconstruction) -> Table:
    from rich.table import Table

    table = Table(title=f"{facts['output']}: {facts['method']}, preset {facts['preset']}")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name in ("vertices", "faces", "lines"):
        if name in facts:
            table.add_row(name, f"{facts[name]:,}")
    for part, seconds in facts["seconds"].items():
        table.add_row(part, f"{seconds:.1f} s")
    table.add_row("peak memory", f"{found.peak_rss_bytes / 1e6:,.0f} MB")
    for name in ("parameters", "bytes", "steps"):
        table.add_row(name, "none" if facts[name] is None else f"{facts[name]:,}")
    return table
