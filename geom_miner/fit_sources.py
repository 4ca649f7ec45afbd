"""Fit a mesh or an image in one call."""

from __future__ import annotations

from pathlib import Path

from geom_miner.fit.cosine_settings import AnySettings
from geom_miner.fit.file_fit import FitResult, check_model_output, fit_to_file
from geom_miner.fit.observer import SILENT, Observer
from geom_miner.fit.presets import preset as preset_of
from geom_miner.grid.signal_info import SourceInfo
from geom_miner.grid.target import Target
from geom_miner.kernels.backends import choose_device
from geom_miner.media.image_signal import ImageSignal
from geom_miner.media.images import read_image
from geom_miner.mesh.files import read_mesh
from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.progress import Stages, silent_stages
from geom_miner.targets.image import image_target
from geom_miner.targets.mesh import mesh_target
from geom_miner.voxelize.settings import VoxelizeSettings


def fit_mesh(
    mesh: TriangleMesh | Path | str,
    output: Path | str,
    *,
    resolution: int = 256,
    preset: str = "surface",
    target: str | None = None,
    settings: AnySettings | None = None,
    allow_empty: bool = False,
    device: str = "auto",
    force: bool = False,
    stages: Stages = silent_stages,
    observer: Observer = SILENT,
) -> FitResult:
    """Fit a mesh and save the model; an interrupted fit goes on when it is called again.

    Parameters
    ----------
    mesh : a mesh, or a mesh file.
    output : model file to write.
    resolution : samples along each side of the cube around the mesh.
    preset : name of a preset for meshes in ``PRESETS``.
    target : name of a target for meshes in ``TARGETS``; by default the preset's own.
    settings : take the place of the preset's settings.
    allow_empty : fit a model without a surface if no sample is inside the mesh.
    device : "auto" (a CUDA GPU if there is one), "cpu" or "cuda".
    force : replace a file that another program wrote; the mesh itself is never replaced.
    stages, observer : are called as the work goes on, such as ``progress_bars`` show it.

    Raises
    ------
    GeomMinerError
        The mesh cannot be read or used, a name is unknown, or the output cannot be written.
    """
    chosen = preset_of(preset)
    settings = settings or chosen.settings
    inputs = [] if isinstance(mesh, TriangleMesh) else [Path(mesh)]
    check_model_output(Path(output), inputs=inputs, force=force)
    name = "" if isinstance(mesh, TriangleMesh) else Path(mesh).stem
    surface = mesh if isinstance(mesh, TriangleMesh) else read_mesh(mesh)
    made = mesh_target(
        surface,
        target or chosen.target,
        VoxelizeSettings(resolution),
        scales=settings.scales,
        block_size=settings.block_size,
        source=SourceInfo(name, faces=len(surface.faces)),
        allow_empty=allow_empty,
        stages=stages,
    )
    return _fit(made.target, settings, output, device, force, observer)


def fit_image(
    image: ImageSignal | Path | str,
    output: Path | str,
    *,
    preset: str = "image",
    settings: AnySettings | None = None,
    device: str = "auto",
    force: bool = False,
    observer: Observer = SILENT,
) -> FitResult:
    """Fit an image and save the model; an interrupted fit goes on when it is called again.

    Parameters
    ----------
    image : an image, or an image file.
    output : model file to write.
    preset : name of a preset for images in ``PRESETS``.
    settings, device, force, observer : see ``fit_mesh``.

    Raises
    ------
    GeomMinerError
        The image cannot be read, a name is unknown, or the output cannot be written.
    """
    settings = settings or preset_of(preset).settings
    inputs = [] if isinstance(image, ImageSignal) else [Path(image)]
    check_model_output(Path(output), inputs=inputs, force=force)
    name = "" if isinstance(image, ImageSignal) else Path(image).stem
    signal = image if isinstance(image, ImageSignal) else read_image(image)
    target = image_target(
        signal,
        scales=settings.scales,
        block_size=settings.block_size,
        source=SourceInfo(name),
    )
    return _fit(target, settings, output, device, force, observer)


def _fit(
    target: Target,
    settings: AnySettings,
    output: Path | str,
    device: str,
    force: bool,
    observer: Observer,
) -> FitResult:
    target = target.to(choose_device(device))
    return fit_to_file(target, settings, output, observer=observer, force=force)
