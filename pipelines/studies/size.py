"""Bytes beside errors: files of ours and of others, of shapes and of pictures.

``python -m pipelines.studies.size configs/size.yaml``
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
from rich.console import Console

from eval import source_errors
from eval.runs import Record, device_name, write_text
from eval.shapes import find_data_file
from geom_miner import TriangleMesh, read_image
from geom_miner.atomic_files import new_file
from geom_miner.constraints import Range, check_fields
from geom_miner.errors import SettingsError
from geom_miner.media import ImageSignal
from geom_miner.outputs import check_output
from pipelines.studies.size_coders import DECIMATORS
from pipelines.studies.size_images import pixels_of, quality_of
from pipelines.studies.size_methods import (
    ImageMethod,
    ShapeMethod,
    SizeModel,
    image_methods,
    shape_methods,
)
from pipelines.studies.size_report import draw_figures, page
from pipelines.studies.study import Study, Trial, study_shapes


@dataclass(frozen=True)
class SizeConfig:
    """Shapes and pictures, and the methods that store them."""

    shapes: list[str] = field(default_factory=list)
    """Named shapes or paths."""
    images: list[str] = field(default_factory=list)
    """Pictures: paths, or names of files in the folders of GEOM_MINER_DATA."""
    resolutions: list[Annotated[int, Range(2, 1 << 15)]] = field(default_factory=lambda: [256])
    """Samples along each side."""
    models: list[SizeModel] = field(default_factory=list)
    """Our models of shapes."""
    image_models: list[SizeModel] = field(default_factory=list)
    """Our models of pictures."""
    bits: list[Annotated[int, Range(1, 16)]] = field(default_factory=lambda: [*range(8, 17)])
    """Bits of a coordinate where mesh coders store the whole source."""
    faces: list[Annotated[int, Range(at_least=4)]] = field(
        default_factory=lambda: [250 * 2**k for k in range(10)]
    )
    """Numbers of faces that sources are decimated to."""
    decimators: list[str] = field(default_factory=lambda: [*DECIMATORS])
    """Decimators; their points make one curve."""
    band_steps: list[Annotated[float, Range(0.01, 1)]] = field(
        default_factory=lambda: [0.7, 0.3, 0.13]
    )
    """Steps, in voxels, that the stored distances are rounded to."""
    psnrs: list[float] = field(default_factory=lambda: [36.0, 40.0, 44.0])
    """Decibels at which pictures are compared."""
    error: Annotated[float, Range(above=0)] = 0.05
    """Mean error, in voxels, at which shapes are compared."""
    points: Annotated[int, Range(1, 10**9)] = 20_000
    """Points on each mesh, in each direction."""
    seed: Annotated[int, Range(at_least=0, below=1 << 63)] = 0
    """Seed of these points."""
    page: str = ""
    """File to which the report is written too, with its figures beside it."""
    output: str = "runs/size"
    """Folder to write."""

    def __post_init__(self) -> None:
        check_fields(self)
        unknown = [name for name in self.decimators if name not in DECIMATORS]
        if unknown or not self.decimators:
            raise SettingsError(
                f"decimators must be among {', '.join(DECIMATORS)}, got {self.decimators}"
            )


def trials(config: SizeConfig, folder: Path, console: Console) -> Iterator[Trial]:
    """Every method on every shape, then on every picture."""
    if config.page:
        # A mistake in the name shows before hours of work.
        check_output(config.page, suffixes=(".md",))
    shared = {"points": config.points, "seed": config.seed}
    for shape, key in study_shapes(config.shapes, console):
        mesh = _normalized(shape.mesh)
        for name, method in shape_methods(config).items():
            decides = {"method": name, "resolution": method.resolution, **method.settings}
            yield Trial(
                {**key, **shared, **decides},
                partial(_measure_shape, mesh, method, config),
                f"{shape.name}: {name}",
                {"curve": method.curve},
                may_fail=True,
            )
    for entry in config.images:
        path = find_data_file(entry)
        image = read_image(path)
        for name, picture in image_methods(config).items():
            yield Trial(
                {"image": path.stem, "method": name, **picture.settings},
                partial(_measure_image, image, picture),
                f"{path.stem}: {name}",
                {"curve": name},
                may_fail=True,
            )


def _normalized(mesh: TriangleMesh) -> TriangleMesh:
    """The mesh around the origin with a longest side of 1, as all methods get it.

    So no method loses digits far from the origin, and errors are shares of the longest side.
    """
    low, high = mesh.bounds
    side = float((high - low).max())
    return TriangleMesh((mesh.vertices - (low + high) / 2) / side, mesh.faces)


def _measure_shape(mesh: TriangleMesh, method: ShapeMethod, config: SizeConfig) -> list[Record]:
    return [
        {
            "label": coded.label,
            "bytes": coded.bytes,
            "triangles": len(coded.mesh.faces),
            **errors,
            "hardware": device_name("cpu"),
        }
        for coded in method.code(mesh)
        if (errors := _errors(coded.mesh, mesh, config))
    ]


def _errors(decoded: TriangleMesh, source: TriangleMesh, config: SizeConfig) -> Record:
    """Distances as shares of the longest side and angles in degrees, in both directions.

    Empty if so few bytes left no surface.
    """
    directions = {
        "to_source": (decoded, source, config.seed),
        "from_source": (source, decoded, config.seed + 1),
    }
    record: Record = {}
    for name, (start, end, seed) in directions.items():
        errors = source_errors(start, end, samples=config.points, seed=seed)
        if not len(errors.distances):
            return {}
        record[name] = {
            "mean": float(errors.distances.mean()),
            "p99": float(np.quantile(errors.distances, 0.99)),
            "normals": float(errors.angles.mean()),
        }
    return record


def _measure_image(image: ImageSignal, method: ImageMethod) -> list[Record]:
    source = pixels_of(image)
    count = source.shape[0] * source.shape[1]
    return [
        {
            "label": coded.label,
            "bits_per_pixel": 8 * coded.bytes / count,
            "psnr": quality_of(coded.pixels, source),
            "hardware": device_name("cpu"),
        }
        for coded in method.code(image)
    ]


def finish(config: SizeConfig, folder: Path, records: Sequence[Record]) -> None:
    """Draw the figures beside the report, and write both to the page too."""
    figures = draw_figures(config, records, folder)
    if config.page:
        target = Path(config.page)
        for figure in figures:
            with new_file(target.parent / figure.name, SettingsError) as file:
                file.write(figure.read_bytes())
        commit = json.loads((folder / "manifest.json").read_text())["commit"]
        write_text(target, page(config, records, commit or ""))


SIZE = Study(
    module="pipelines.studies.size",
    summary="Measure bytes beside errors, of our files and of others.",
    config=SizeConfig,
    trials=trials,
    report=page,
    finish=finish,
    overrides=("output",),
)

if __name__ == "__main__":
    raise SystemExit(SIZE.main())
