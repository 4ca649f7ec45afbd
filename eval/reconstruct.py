"""The command ``reconstruct``: points or a mesh in one file, a surface in another."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from rich.console import Console

from eval.errors import CloudError, MethodError
from eval.progress import StatusProgress
from geom_miner.command_line import INTERRUPTED
from geom_miner.constraints import Range
from geom_miner.outputs import MADE_BY, check_output, sign_archive, written_here
from geom_miner.terminal import Terminal

if TYPE_CHECKING:
    from rich.table import Table

    from eval.methods import Contours, Method, Options, Reconstruction, Source
    from geom_miner import TriangleMesh

# What the names of a checkpoint's files end in: itself, an unfinished model, notes on either.
_CHECKPOINT_ENDINGS = ("", ".history.json", ".part", ".part.history.json")


@dataclass(frozen=True)
class ReconstructSettings:
    """Turn points or a mesh into a surface with any of the methods."""

    source: tyro.conf.Positional[Path]
    """Points as .ply without faces, .xyz, .npy or .npz, with normals if the method needs them; or a
    mesh."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Mesh to write, in any of the formats of extract, such as .ply; for points in two dimensions
    .npz with the lines line_0, line_1, ..."""
    method: str
    """miner, poisson, igr, phase or phase-ff; or package.module:NAME for another one."""
    preset: str | None = None
    """One of the method's presets; the default is its first."""
    seconds: Annotated[float, Range(above=0)] | None = None
    """Time limit of the optimization, meshing not included."""
    steps: Annotated[int, Range(1, 10**9)] | None = None
    """Limit of optimizer steps."""
    seed: Annotated[int, Range(at_least=0, below=1 << 63)] = 0
    """The same seed, source and steps give the same surface."""
    resolution: Annotated[int, Range(8, 1 << 15)] = 256
    """Samples along the longest side of the grid on which the surface is extracted."""
    take_as: Annotated[Literal["file", "points"], tyro.conf.arg(name="as")] = "file"
    """How to use a mesh: as it is, or as points drawn on it."""
    samples: Annotated[int, Range(1, 10**9)] = 200_000
    """Number of points to draw on a mesh."""
    ignore_normals: tyro.conf.FlagCreatePairsOff[bool] = False
    """Use the points without their normals."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""
    checkpoint: Path | None = None
    """File from which an interrupted run continues; it is kept at the end. Without it there is one
    beside the output, which is removed at the end."""
    force: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace a mesh that another program wrote; an input is never replaced."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print the figures as JSON instead of a table."""

    def run(self, console: Console) -> int:
        """Reconstruct the surface; the exit status is 130 after an interrupt, else 0."""
        return _reconstruct(self, console)


def read_source(settings: ReconstructSettings) -> Source:
    """The points or the mesh in the settings' file, or points drawn on the mesh.

    Raises
    ------
    GeomMinerError
        The file cannot be read, or holds no mesh although points are to be drawn on one.
    """
    from eval.clouds.files import CLOUD_SUFFIXES, holds_cloud, read_cloud
    from eval.clouds.from_mesh import sample_cloud
    from eval.clouds.point_cloud import PointCloud
    from geom_miner import read_mesh
    from geom_miner.file_kinds import describe_wrong_kind
    from geom_miner.mesh import MESH_SUFFIXES, mesh_suffix

    if holds_cloud(settings.source):
        cloud = read_cloud(settings.source)
    elif mesh_suffix(settings.source) not in MESH_SUFFIXES and settings.source.is_file():
        takes = {"point cloud": CLOUD_SUFFIXES, "mesh": MESH_SUFFIXES}
        raise CloudError(describe_wrong_kind(settings.source, takes))
    else:
        mesh = read_mesh(settings.source)
        if settings.take_as == "file":
            return mesh
        cloud = sample_cloud(mesh, settings.samples, settings.seed)
    return PointCloud(cloud.points) if settings.ignore_normals else cloud


def _reconstruct(settings: ReconstructSettings, console: Console) -> int:
    from eval.methods import Budget, Options, check_request, find_method
    from geom_miner.kernels import choose_device
    from geom_miner.progress_bars import WorkBar

    method = find_method(settings.method)
    checkpoint = settings.checkpoint or settings.output.with_name(
        f"{settings.output.name}.{method.name}.checkpoint"
    )
    options = Options(
        preset=settings.preset or next(iter(method.presets)),
        budget=Budget(settings.seconds, settings.steps),
        resolution=settings.resolution,
        seed=settings.seed,
        device=choose_device(settings.device),
        checkpoint=checkpoint,
    )
    with WorkBar(console, f"reading {settings.source.name}"):
        source = read_source(settings)
    check_request(method, source, options)
    _check_outputs(settings, source, checkpoint)
    earlier = {path: path.stat().st_mtime_ns for path in _checkpoint_files(checkpoint)}
    try:
        with WorkBar(console, method.title) as bar:
            report = _status_reporter(console, bar, method.title)
            result = method.reconstruct(source, replace(options, progress=report))
        comment = f"{MADE_BY}, {settings.source.name} reconstructed by {method.title}"
        write_surface(settings.output, result.surface, comment)
    except KeyboardInterrupt:
        message = _describe_kept_files(checkpoint)
        console.print(message, style="yellow", soft_wrap=True, highlight=False)
        return INTERRUPTED
    if settings.checkpoint is None:
        _remove_checkpoint(checkpoint, earlier)
    _print_result(settings, _figures(settings, method, options, result), result)
    return 0


def _check_outputs(settings: ReconstructSettings, source: Source, checkpoint: Path) -> None:
    """Refuse an output or a checkpoint that would destroy something, before the long work."""
    from eval.methods.protocol import ndim_of
    from geom_miner.mesh import WRITABLE_MESH_SUFFIXES
    from geom_miner.storage import SIGNATURE

    output, ndim = settings.output, ndim_of(source)
    suffixes = WRITABLE_MESH_SUFFIXES if ndim == 3 else (".npz",)
    if output.suffix.lower() not in suffixes:
        raise MethodError(
            f"output must end in one of {', '.join(suffixes)} for points in {ndim} "
            f"dimensions, got {output}"
        )
    inputs = [settings.source]
    check_output(output, MethodError, inputs=inputs, force=settings.force)
    is_model = checkpoint.is_file() and written_here(checkpoint, SIGNATURE)
    for ending in _CHECKPOINT_ENDINGS:
        path = checkpoint.with_name(f"{checkpoint.name}{ending}")
        # Methods themselves refuse a foreign file where they keep an unfinished one.
        force = is_model or path != checkpoint
        check_output(path, MethodError, inputs=[*inputs, output], force=force)


def _status_reporter(console: Console, bar: Any, title: str) -> StatusProgress:
    def report(share: float, status: str) -> None:
        # In a log file every new description would be a line of its own.
        if console.is_terminal:
            bar.describe(f"{title}: {status}")
        bar(share)

    return report


def write_surface(path: Path, surface: TriangleMesh | Contours, comment: str) -> None:
    """Write a mesh in the format of its suffix, or lines as NPZ, completely or not at all.

    The lines are line_0, line_1, ..., each (n, 2) float64.

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
            sign_archive(stream)
    else:
        write_mesh(path, surface, comments=[comment])


def _checkpoint_files(checkpoint: Path) -> list[Path]:
    """The checkpoint, and what a method keeps beside it, as far as they exist."""
    names = [f"{checkpoint.name}{ending}" for ending in _CHECKPOINT_ENDINGS]
    return [path for name in names if (path := checkpoint.with_name(name)).is_file()]


def _remove_checkpoint(checkpoint: Path, earlier: dict[Path, int]) -> None:
    """Remove the checkpoint's files, but none that another program wrote.

    Parameters
    ----------
    earlier : when those that were there before were last changed.
    """
    from geom_miner.fit import HISTORY_SIGNATURE
    from geom_miner.storage import SIGNATURE

    for path in _checkpoint_files(checkpoint):
        changed = path.stat().st_mtime_ns != earlier.get(path)
        if changed or any(written_here(path, own) for own in (b"", SIGNATURE, HISTORY_SIGNATURE)):
            path.unlink()


def _describe_kept_files(checkpoint: Path) -> str:
    files = _checkpoint_files(checkpoint)
    if not files:
        return "interrupted before there was anything to keep"
    return f"interrupted; {files[0]} has what is done, run the same command again to go on"


def _figures(
    settings: ReconstructSettings, method: Method, options: Options, result: Reconstruction
) -> dict[str, Any]:
    from eval.methods import Contours

    if isinstance(result.surface, Contours):
        size = {"lines": len(result.surface.lines)}
    else:
        size = {"vertices": len(result.surface.vertices), "faces": len(result.surface.faces)}
    return {
        "source": str(settings.source),
        "output": str(settings.output),
        "method": method.name,
        "preset": options.preset,
        "seed": options.seed,
        "resolution": options.resolution,
        "device": options.device,
        **size,
        "seconds": {**asdict(result.timings), "total": result.timings.total},
        "peak_rss_bytes": result.peak_rss_bytes,
        "parameters": result.parameters,
        "bytes": result.bytes,
        "steps": result.steps,
        "notes": list(result.notes),
    }


def _print_result(
    settings: ReconstructSettings, figures: dict[str, Any], result: Reconstruction
) -> None:
    out = Terminal()
    if settings.json:
        out.out(json.dumps(figures, indent=2), highlight=False)
        return
    out.print(_table(figures))
    for note in result.notes:
        out.print(note, highlight=False, markup=False, soft_wrap=True)


def _table(figures: dict[str, Any]) -> Table:
    from rich.table import Table

    table = Table(title=f"{figures['output']}: {figures['method']}, preset {figures['preset']}")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name in ("vertices", "faces", "lines"):
        if name in figures:
            table.add_row(name, f"{figures[name]:,}")
    for part, seconds in figures["seconds"].items():
        table.add_row(part, f"{seconds:.1f} s")
    table.add_row("peak memory", f"{figures['peak_rss_bytes'] / 1e6:,.0f} MB")
    for name in ("parameters", "bytes", "steps"):
        table.add_row(name, "none" if figures[name] is None else f"{figures[name]:,}")
    return table
