"""Levels of detail beside meshes of as many triangles that edge collapse makes.

``python -m pipelines.studies.decimation configs/decimation.yaml [--resolution 512]``
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

from rich.console import Console

from eval import source_errors
from eval.report import Column, Spread, Table, markdown_text
from eval.runs import Record, device_name
from eval.shapes import Shape
from geom_miner import (
    Representation,
    TriangleMesh,
    decimate,
    extract_level,
    preset,
    read_mesh,
    sharpen,
    write_mesh,
)
from geom_miner.constraints import Range
from geom_miner.errors import MeshError
from pipelines.studies.fitted_shape import fit_shape
from pipelines.studies.study import Study, Trial, study_shapes

MINER, OF_SOURCE, OF_FINEST = "level of detail", "source, decimated", "level 0, decimated"
SHARPENED = "level of detail, sharpened"


@dataclass(frozen=True)
class DecimationConfig:
    """Shapes whose levels of detail are compared with decimated meshes."""

    shapes: list[str]
    """Named shapes or paths."""
    resolution: Annotated[int, Range(2, 1 << 15)] = 256
    """Samples along each side."""
    preset: str = "surface"
    """Settings of the fits."""
    points: Annotated[int, Range(1, 10**9)] = 60_000
    """Points on each mesh, in each direction."""
    seed: Annotated[int, Range(at_least=0, below=1 << 63)] = 0
    """Seed of these points."""
    output: str = "runs/decimation"
    """Folder to write."""


def trials(config: DecimationConfig, folder: Path, console: Console) -> Iterator[Trial]:
    """One for every shape; it has a record for each level and mesh."""
    names = ("resolution", "preset", "points", "seed")
    decides = {name: getattr(config, name) for name in names}
    for shape, key in study_shapes(config.shapes, console):
        yield Trial({**key, **decides}, partial(_measure, shape, config), shape.name)


def _measure(shape: Shape, config: DecimationConfig) -> list[Record]:
    chosen = preset(config.preset)
    fitted = fit_shape(shape.mesh, chosen.target, chosen.settings, config.resolution)
    levels = {scale: _meshes_of(fitted.model, scale) for scale in range(fitted.model.num_scales)}
    voxel = fitted.model.grid.spacing[0]
    finest = levels[0][0][1]
    records = []

    def add(name: str, scale: int, mesh: TriangleMesh, seconds: float) -> None:
        errors = _evaluate(mesh, shape.mesh, voxel, config)
        records.append({"mesh": name, "scale": scale, "seconds": seconds, **errors})

    for scale, meshes in levels.items():
        # All levels come from one fit, which each is charged with.
        for name, mesh, seconds in meshes:
            if len(mesh.faces):
                add(name, scale, mesh, fitted.seconds + seconds)
        triangles = len(meshes[0][1].faces)
        for name, whole in ((OF_SOURCE, shape.mesh), (OF_FINEST, finest)):
            if 0 < triangles < len(whole.faces):
                began = time.perf_counter()
                try:
                    fewer = decimate(whole, triangles)
                except MeshError:
                    # Not closed: the row is missing, and the report's text says why.
                    continue
                add(name, scale, fewer, time.perf_counter() - began)
    return records


def _meshes_of(model: Representation, scale: int) -> list[tuple[str, TriangleMesh, float]]:
    """The level of detail as its file holds it, for a distance sharpened too, and seconds."""
    began = time.perf_counter()
    mesh = extract_level(model, scale)
    meshes = [(MINER, mesh, time.perf_counter() - began)]
    if model.info.is_distance:
        sharp = sharpen(mesh, model.grid.at_scale(scale).spacing[0])
        meshes.append((SHARPENED, sharp, time.perf_counter() - began))
    return [(name, _through_file(each), seconds) for name, each, seconds in meshes]


def _through_file(mesh: TriangleMesh) -> TriangleMesh:
    """The mesh as a PLY file holds it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mesh.ply"
        write_mesh(path, mesh)
        return read_mesh(path)


def _evaluate(
    mesh: TriangleMesh, source: TriangleMesh, voxel: float, config: DecimationConfig
) -> Record:
    to_source = source_errors(mesh, source, samples=config.points, seed=config.seed)
    from_source = source_errors(source, mesh, samples=config.points, seed=config.seed + 1)
    return {
        "triangles": len(mesh.faces),
        "to_source_voxels": float(to_source.distances.mean() / voxel),
        "from_source_voxels": float(from_source.distances.mean() / voxel),
        "normal_degrees": float((to_source.angles.mean() + from_source.angles.mean()) / 2),
        "hardware": device_name("cpu"),
    }


def _median(title: str, key: str) -> Column[list[Record]]:
    return Column(title, lambda rows: Spread([float(r[key]) for r in rows]).middle(), ".3g")


_LEVEL: Column[list[Record]] = Column("level", lambda rows: rows[0]["scale"])
_MESH: Column[list[Record]] = Column("mesh", lambda rows: rows[0]["mesh"], left=True)
_MEDIANS = (
    _median("to source", "to_source_voxels"),
    _median("from source", "from_source_voxels"),
    _median("normals", "normal_degrees"),
    _median("seconds", "seconds"),
)


def report(config: DecimationConfig, records: Sequence[Record]) -> str:
    """Markdown: for every level the median over the shapes, then every mesh."""
    shapes = list(dict.fromkeys(r["shape"] for r in records))
    groups = []
    for scale in sorted({r["scale"] for r in records}):
        here = [r for r in records if r["scale"] == scale]
        needed = {MINER, OF_SOURCE, OF_FINEST} if scale else {MINER, OF_SOURCE}
        complete = [s for s in shapes if needed <= {r["mesh"] for r in here if r["shape"] == s}]
        for mesh in (MINER, OF_SOURCE, OF_FINEST, SHARPENED):
            group = [r for r in here if r["mesh"] == mesh and r["shape"] in complete]
            groups += [group] if group and mesh in {*needed, SHARPENED} else []
    count: Column[list[Record]] = Column("shapes", len)
    shape: Column[list[Record]] = Column("shape", lambda rows: rows[0]["shape"], left=True)
    triangles: Column[list[Record]] = Column("triangles", lambda rows: rows[0]["triangles"])
    medians = Table([_LEVEL, count, _MESH, *_MEDIANS], groups)
    single = Table([shape, _LEVEL, _MESH, triangles, *_MEDIANS], [[r] for r in records])
    return (
        f"# Levels of detail and decimated meshes at {config.resolution}^3\n\n"
        f"Shapes: {markdown_text(', '.join(shapes))}. "
        f"Distances are means over {config.points:,} points in "
        "voxels of level of detail 0: from the mesh to the source's triangles, and from the source "
        "to the mesh; normals are the mean of both directions, in degrees. A level is charged with "
        "the whole fit, which all levels share, and its own meshing; a decimated mesh with the "
        "collapse alone. Sharpened is a level with its sharp edges put back (extract --sharp), in "
        "more triangles. Decimated meshes are missing where they would need more triangles than "
        "there are, or a closed mesh. Medians over the shapes that have all meshes of a level; "
        f"preset {config.preset}, on {records[0]['hardware']}.\n\n"
        f"{medians.markdown()}\n{single.markdown()}"
    )


DECIMATION = Study(
    module="pipelines.studies.decimation",
    summary="Measure levels of detail beside decimated meshes.",
    config=DecimationConfig,
    trials=trials,
    report=report,
)

if __name__ == "__main__":
    raise SystemExit(DECIMATION.main())
