"""Methods that store a shape or a picture in few bytes, ours and others, behind one signature.

A method is a function that gives, for each of its settings, the bytes and what they decode to. A
new one is an entry in what ``shape_methods`` or ``image_methods`` returns. A model of ours is an
entry of ``models`` in the configuration and needs no code.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Protocol

import numpy as np

from eval.runs import Record, parse_values
from geom_miner import (
    TriangleMesh,
    extract_level,
    fit_image,
    fit_mesh,
    load_model,
    preset,
)
from geom_miner.constraints import Range
from geom_miner.fit import AnySettings
from geom_miner.media import ImageSignal
from geom_miner.storage import scale_bytes
from pipelines.studies.size_coders import CODERS, decimated
from pipelines.studies.size_images import CODECS, CodedImage, pixels_of
from pipelines.studies.size_volumes import band_by_zstd, occupancy_by_lzma

DECIMATED = "{coder}, decimated"

# Numbers of bits that a decimated mesh is coded with. With three, curves have steps.
_BITS_TRIED = 4


@dataclass(frozen=True)
class CodedShape:
    """A shape in few bytes.

    Parameters
    ----------
    label : setting that it was coded with.
    bytes : of the file.
    mesh : what the file decodes to.
    """

    label: str
    bytes: int
    mesh: TriangleMesh


@dataclass(frozen=True)
class ShapeMethod:
    """A way to store a shape.

    Parameters
    ----------
    curve : the curve that its points belong to; several methods may share one.
    code : gives a shape for each setting. The mesh it gets is centered, its longest side is 1.
    settings : JSON-able values that decide the result.
    resolution : of its samples; None if it has none.
    """

    curve: str
    code: Callable[[TriangleMesh], Iterator[CodedShape]]
    settings: Record = field(default_factory=dict)
    resolution: int | None = None


@dataclass(frozen=True)
class ImageMethod:
    """A way to store a picture; see ``ShapeMethod``."""

    code: Callable[[ImageSignal], Iterator[CodedImage]]
    settings: Record = field(default_factory=dict)


@dataclass(frozen=True)
class SizeModel:
    """Models of ours: a preset, and the settings that make smaller or larger files."""

    name: str
    """The curve's name."""
    preset: str
    """Where the settings start."""
    settings: list[dict[str, Any]] = field(default_factory=lambda: [{}])
    """Settings that differ from the preset, a model for each entry."""
    resolutions: list[Annotated[int, Range(2, 1 << 15)]] = field(default_factory=list)
    """Samples along each side; by default those of the study. Pictures have their own."""
    supersample: int = 1
    """Samples that the finest level is meshed on, for every one of the model, along each axis."""

    def __post_init__(self) -> None:
        for changes in self.settings:
            self.fit_settings(changes)

    def fit_settings(self, changes: dict[str, Any]) -> AnySettings:
        """The preset's settings with some changed."""
        base = preset(self.preset).settings
        return replace(base, **parse_values(type(base), changes, f"settings of {self.name}"))


class SizeSettings(Protocol):
    """What methods need of the study's configuration."""

    @property
    def resolutions(self) -> list[int]: ...
    @property
    def bits(self) -> list[int]: ...
    @property
    def faces(self) -> list[int]: ...
    @property
    def decimators(self) -> list[str]: ...
    @property
    def band_steps(self) -> list[float]: ...
    @property
    def models(self) -> list[SizeModel]: ...
    @property
    def image_models(self) -> list[SizeModel]: ...
    @property
    def psnrs(self) -> list[float]: ...


def shape_methods(config: SizeSettings) -> dict[str, ShapeMethod]:
    """Every way to store a shape that a configuration asks for, by name."""
    methods = {}
    bits, faces = sorted(config.bits), sorted(config.faces, reverse=True)
    for coder in CODERS:
        methods[coder] = ShapeMethod(coder, partial(_whole, coder, bits), {"bits": bits})
        # The first decimator shows what meshoptimizer needs; Draco gets the best of all.
        for decimator in config.decimators if coder == "Draco" else config.decimators[:1]:
            methods[f"{coder} after {decimator}"] = ShapeMethod(
                DECIMATED.format(coder=coder),
                partial(_decimated, coder, decimator, faces),
                {"face_counts": faces, "bits_tried": _BITS_TRIED},
            )
    for n in config.resolutions:
        methods[f"LZMA of the occupancy, {n}^3"] = ShapeMethod(
            "LZMA of the occupancy", partial(_occupancy, n), {}, n
        )
        steps = {"steps": config.band_steps}
        methods[f"zstd of the distance, {n}^3"] = ShapeMethod(
            "zstd of the distance", partial(_band, n, config.band_steps), steps, n
        )
    for model in config.models:
        for n in model.resolutions or config.resolutions:
            for changes in model.settings:
                settings = model.fit_settings(changes)
                methods[f"{_title(model, changes)}, {n}^3"] = ShapeMethod(
                    model.name,
                    partial(_levels, model, settings, _title(model, changes), n),
                    {
                        "preset": model.preset,
                        "supersample": model.supersample,
                        "settings": asdict(settings),
                    },
                    n,
                )
    return methods


def image_methods(config: SizeSettings) -> dict[str, ImageMethod]:
    """Every way to store a picture that a configuration asks for, by name."""
    goals = sorted(config.psnrs)
    methods = {
        name: ImageMethod(partial(_coded_images, name, goals), {"psnrs": goals}) for name in CODECS
    }
    for model in config.image_models:
        every = [model.fit_settings(changes) for changes in model.settings]
        methods[model.name] = ImageMethod(
            partial(_fitted_images, model, every),
            {"preset": model.preset, "settings": [asdict(settings) for settings in every]},
        )
    return methods


def _title(model: SizeModel, changes: dict[str, Any]) -> str:
    return ", ".join([model.name, *(f"{key} {value}" for key, value in changes.items())])


def _whole(coder: str, bits: Sequence[int], mesh: TriangleMesh) -> Iterator[CodedShape]:
    for each in bits:
        yield CodedShape(f"{each} bits", *CODERS[coder](mesh, each))


def _decimated(
    coder: str, decimator: str, counts: Sequence[int], mesh: TriangleMesh
) -> Iterator[CodedShape]:
    counts = [count for count in counts if count < 0.9 * len(mesh.faces)]
    for fewer in decimated(mesh, counts, decimator):
        faces = len(fewer.faces)
        for bits in _suitable_bits(faces) if faces else ():
            label = f"{decimator}, {faces:,} faces, {bits} bits"
            yield CodedShape(label, *CODERS[coder](fewer, bits))


def _suitable_bits(faces: int) -> range:
    """Bits whose steps are about as large as what so few faces miss: 8 to 11 for 8,000 faces."""
    fewest = round(math.log2(faces) / 2) + 2
    return range(fewest, fewest + _BITS_TRIED)


def _occupancy(resolution: int, mesh: TriangleMesh) -> Iterator[CodedShape]:
    yield CodedShape("a bit per sample", *occupancy_by_lzma(mesh, resolution))


def _band(resolution: int, steps: Sequence[float], mesh: TriangleMesh) -> Iterator[CodedShape]:
    for step, size, surface in band_by_zstd(mesh, resolution, steps):
        yield CodedShape(f"steps of {step:g} voxel", size, surface)


def _levels(
    model: SizeModel, settings: AnySettings, title: str, resolution: int, mesh: TriangleMesh
) -> Iterator[CodedShape]:
    """Each level of detail of a model, with the bytes of a file that ends after it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.miner"
        fit_mesh(
            mesh,
            path,
            resolution=resolution,
            preset=model.preset,
            settings=settings,
            device="cpu",
        )
        sizes, size = scale_bytes(path), path.stat().st_size
        for scale in sorted(sizes):
            finer = 1 if scale else model.supersample
            fitted = load_model(path, finest=scale)
            surface = extract_level(fitted, scale, supersample=finer)
            if len(surface.faces):
                yield CodedShape(f"{title}, level {scale}", size, surface)
            size -= sizes[scale]


def _coded_images(codec: str, goals: Sequence[float], image: ImageSignal) -> Iterator[CodedImage]:
    return CODECS[codec].around(pixels_of(image), goals)


def _fitted_images(
    model: SizeModel, every: Sequence[AnySettings], image: ImageSignal
) -> Iterator[CodedImage]:
    for changes, settings in zip(model.settings, every, strict=True):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.miner"
            fit_image(image, path, preset=model.preset, settings=settings, device="cpu")
            fitted = load_model(path)
            samples = fitted.decode(0).to_dense(fitted.grid.shape).numpy()
            pixels = pixels_of(ImageSignal(np.clip(samples, 0, 1), 8))
            yield CodedImage(_title(model, changes), path.stat().st_size, pixels)
