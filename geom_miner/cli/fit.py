"""The command ``geom-miner fit``, and how it chooses a preset."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import tyro
from rich.console import Console

from geom_miner.cli.answers import print_json, print_rows
from geom_miner.cli.options import Device, Force, Output, device_of
from geom_miner.cli.voxelizing import target_of_image_file, target_of_mesh_file
from geom_miner.errors import SettingsError
from geom_miner.file_kinds import describe_wrong_kind
from geom_miner.fit.cosine_settings import AnySettings
from geom_miner.fit.goal import Goal, goal_of
from geom_miner.fit.presets import PRESETS, default_preset, preset
from geom_miner.kernels.registry import BACKENDS
from geom_miner.outputs import check_suffix
from geom_miner.targets.registry import targets_of
from geom_miner.voxelize.settings import VoxelizeSettings

# A model file may also have no suffix; every other suffix belongs to another kind of file.
MODEL_SUFFIXES = (".miner", "")

if TYPE_CHECKING:
    from geom_miner.fit.file_fit import FitResult
    from geom_miner.fit.psnr_goal import ImageQuality
    from geom_miner.grid.target import Target


def _preset_help() -> str:
    names = "; ".join(f"{name}: {entry.summary}" for name, entry in PRESETS.items())
    return (
        "Where the fit's options start: auto (surface or image, by the source; the first preset "
        f"of --target, or volume if it has none) or one of these. {names}."
    )


def _backend_help() -> str:
    names = "; ".join(f"{name}: {entry.summary}" for name, entry in BACKENDS.items())
    return f"Kernel to compute with: auto (by the device) or one of these. {names}."


def _target_help() -> str:
    names = "; ".join(f"{name}: {entry.summary}" for name, entry in targets_of("mesh").items())
    return f"What is fitted to a mesh: auto (the preset's own) or one of these. {names}."


@dataclass(frozen=True)
class Fit:
    """Fit a model to a mesh or an image; an interrupted fit goes on when run again."""

    memory_remedy: ClassVar = "lower --resolution, --block-size, --scales or --memory"

    source: tyro.conf.Positional[Path]
    """Mesh (PLY, OBJ, STL, OFF, 3MF, GLB, glTF, also with .gz) or image (PNG, JPEG, TIFF, BMP,
    WebP)."""
    output: Output
    """Model file to write, such as model.miner."""
    voxels: tyro.conf.OmitArgPrefixes[VoxelizeSettings]
    settings: tyro.conf.OmitArgPrefixes[AnySettings]
    preset: Annotated[str, tyro.conf.arg(help=_preset_help())] = "auto"
    target: Annotated[str, tyro.conf.arg(help=_target_help())] = "auto"
    backend: Annotated[str, tyro.conf.arg(help=_backend_help())] = "auto"
    device: Device = "auto"
    """Where to compute; auto takes a CUDA GPU if there is one."""
    memory: str = "128MiB"
    """About how much memory blocks under training may take, such as 1GB: a scale is fitted in
    batches, with the same result, and a killed fit goes on after the last batch."""
    error: float | None = None
    """Mean error of the distance near the surface to aim at, in voxels; presets of cosine blocks
    choose their steps by it."""
    bytes: str | None = None
    """Size of the model file to aim at, such as 50KB; in the same way."""
    psnr: float | None = None
    """PSNR of an image to aim at, in decibels; in the same way."""
    fresh: bool = False
    """Start anew instead of going on with an interrupted or finished fit."""
    allow_empty: bool = False
    """Fit a model without a surface if no sample is inside the mesh, instead of refusing."""
    force: Force = False
    json: bool = False
    """Print a summary as JSON."""

    def run(self, console: Console) -> None:
        from geom_miner.fit.file_fit import check_model_output, fit_to_file
        from geom_miner.fit.memory import parse_memory
        from geom_miner.fit.psnr_goal import image_quality
        from geom_miner.progress_bars import FitBar

        check_suffix(self.output, SettingsError, MODEL_SUFFIXES)
        check_model_output(self.output, inputs=[self.source], force=self.force)
        memory = parse_memory(self.memory)
        goal = goal_of(self.error, self.bytes, self.psnr)
        target = self._read_target(console)
        settings = self._settings_for(goal, target, console)
        with FitBar(console) as bar:
            result = fit_to_file(
                target.to(device_of(self.device)),
                settings,
                self.output,
                observer=bar,
                backend=self.backend,
                memory=memory,
                fresh=self.fresh,
                force=self.force,
            )
        if result.resumed_scales:
            console.print(f"{result.resumed_scales} scales were there from an earlier run.")
        quality = None
        if target.info.kind == "image":
            quality = image_quality(result.representation, target, settings)
            style = "yellow" if quality.is_missed else None
            console.print(quality.describe(), style=style, highlight=False, soft_wrap=True)
        self._print_summary(result, quality)

    def _settings_for(self, goal: Goal | None, target: Target, console: Console) -> AnySettings:
        """The settings, with steps that reach the goal if there is one."""
        if goal is None:
            return self.settings
        from geom_miner.fit.goal_search import reach_goal
        from geom_miner.progress_bars import WorkBar

        with WorkBar(console, f"choosing the step for {goal.describe()}") as bar:
            reached = reach_goal(
                goal,
                target.to(device_of(self.device)),
                self.settings,
                backend=self.backend,
                progress=bar,
            )
        style = None if reached.is_met else "yellow"
        console.print(reached.describe(), style=style, highlight=False, soft_wrap=True)
        return reached.settings

    def _read_target(self, console: Console) -> Target:
        if is_image(self.source):
            return target_of_image_file(self.source, self.settings, console)
        _check_mesh(self.source)
        target = self.target
        if target == "auto":
            target = PRESETS[choose_preset(self.preset, self.source, target)].target
        return target_of_mesh_file(
            self.source,
            target,
            self.voxels,
            self.settings,
            console,
            allow_empty=self.allow_empty,
        )

    def _print_summary(self, result: FitResult, quality: ImageQuality | None) -> None:
        scales = [
            {
                "scale": entry.scale,
                "shape": entry.shape,
                "active_blocks": entry.fitted_blocks,
                "parameters": entry.parameters,
                "seconds": round(entry.seconds, 3),
                "loss": entry.loss,
            }
            for entry in result.history
        ]
        size = self.output.stat().st_size
        if not self.json:
            print_rows(f"{self.output}: {size:,} bytes", scales)
            return
        figures = {}
        if quality is not None:
            # JSON has no infinity: a picture that is met exactly has no PSNR.
            psnr = quality.psnr if math.isfinite(quality.psnr) else None
            figures = {"psnr": psnr, "psnr_goal": quality.goal}
        print_json(
            {
                "model": str(self.output),
                "file_bytes": size,
                "parameters": result.representation.num_parameters,
                "resumed_scales": result.resumed_scales,
                **figures,
                "scales": scales,
            }
        )


def _check_mesh(source: Path) -> None:
    """Refuse a source that is neither a mesh nor an image, by its suffix."""
    from geom_miner.media.images import IMAGE_SUFFIXES
    from geom_miner.mesh.files import MESH_SUFFIXES, mesh_suffix

    # What is missing or a folder is answered where meshes are read.
    if mesh_suffix(source) not in MESH_SUFFIXES and source.is_file():
        takes = {"mesh": MESH_SUFFIXES, "image": IMAGE_SUFFIXES}
        raise SettingsError(describe_wrong_kind(source, takes))


def is_image(source: Path) -> bool:
    """Whether a source is an image, by its suffix."""
    if not source.suffix:
        return False
    # Loaded only for a file that is named: --help has to answer at once.
    from geom_miner.media.images import IMAGE_SUFFIXES

    return source.suffix.lower() in IMAGE_SUFFIXES


def choose_preset(preset: str, source: Path, target: str) -> str:
    """The name that preset "auto" stands for, by the source and the target asked for."""
    if preset != "auto":
        return preset
    if is_image(source):
        return default_preset("image")
    return default_preset("distance" if target == "auto" else target)


def fit_with_preset(arguments: Sequence[str]) -> type[Fit]:
    """The command's class with the defaults of its options taken from the preset.

    The preset is looked up before the options are parsed, since it decides their defaults.
    """
    pairs = zip(["", *arguments], arguments, strict=False)
    sources = [
        Path(word) for option, word in pairs if word[:1] != "-" and option not in ("-o", "--output")
    ]
    source = next(filter(is_image, sources), Path())
    target = _value_of("--target", arguments, "auto")
    chosen = preset(choose_preset(_value_of("--preset", arguments, "auto"), source, target))

    # The options are those of the preset's kind of block function.
    settings_type: Any = tyro.conf.OmitArgPrefixes[type(chosen.settings)]  # type: ignore[misc]
    made = make_dataclass(
        "FitWithPreset",
        [
            (
                "voxels",
                tyro.conf.OmitArgPrefixes[VoxelizeSettings],
                field(default_factory=VoxelizeSettings),
            ),
            ("settings", settings_type, field(default=chosen.settings)),
        ],
        bases=(Fit,),
        frozen=True,
    )
    made.__doc__ = Fit.__doc__
    return made


def _value_of(option: str, arguments: Sequence[str], default: str) -> str:
    """The value of an option, before the options are parsed."""
    value = default
    for at, argument in enumerate(arguments):
        if argument == option and at + 1 < len(arguments):
            value = arguments[at + 1]
        elif argument.startswith(f"{option}="):
            value = argument.partition("=")[2]
    return value
