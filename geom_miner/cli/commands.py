"""The commands as settings dataclasses, each with its work in ``run``.

Heavy modules are imported inside ``run``, so that ``--help`` answers at once.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from rich.console import Console

from geom_miner import __version__
from geom_miner.cli.answers import parse_levels, print_json, print_rows
from geom_miner.cli.region import parse_region
from geom_miner.cli.voxelizing import mesh_target, read_and_voxelize, save_occupancy
from geom_miner.errors import SettingsError
from geom_miner.fit.settings import FitSettings
from geom_miner.voxelize.settings import VoxelizeSettings

if TYPE_CHECKING:
    from geom_miner.extract.decimate import DecimationReport
    from geom_miner.mesh.triangle_mesh import TriangleMesh
    from geom_miner.model.representation import Representation
    from geom_miner.progress import WorkBar

IMAGES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")

Output = Annotated[Path, tyro.conf.arg(aliases=["-o"])]
Device = Literal["auto", "cpu", "cuda"]
Backend = Literal["auto", "reference", "cpu", "gpu"]


@dataclass(frozen=True)
class Voxelize:
    """Turn a mesh into occupancy and say what was found."""

    source: tyro.conf.Positional[Path]
    """Mesh file: PLY, OBJ, STL, OFF, GLB."""
    settings: tyro.conf.OmitArgPrefixes[VoxelizeSettings]
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """NPZ file to write: block ids, their samples (8 to a byte, or one in 240ths for coverage),
    constants, grid."""
    report: bool = True
    """Say in plain words what is right and wrong with the mesh, how inside was decided and why."""
    json: bool = False
    """Print all of it as JSON instead."""

    def run(self, console: Console) -> None:
        if self.settings.target == "distance":
            raise SettingsError(
                "voxelize writes occupancy or coverage; for a distance: geom-miner fit --target "
                "distance"
            )
        _, occupancy = read_and_voxelize(self.source, self.settings, 16, console)
        if self.output is not None:
            save_occupancy(self.output, occupancy)
        if self.json:
            print_json({"source": self.source.name, **asdict(occupancy.report)})
        elif self.report:
            Console().print("\n".join(occupancy.report.sentences()), highlight=False)


@dataclass(frozen=True)
class Fit:
    """Fit a model to a mesh or an image; an interrupted fit goes on when run again."""

    source: tyro.conf.Positional[Path]
    """Mesh (PLY, OBJ, STL, OFF, GLB) or image (PNG, JPEG, TIFF, BMP, WebP)."""
    output: Output
    """Model file to write, such as model.miner."""
    voxels: tyro.conf.OmitArgPrefixes[VoxelizeSettings]
    settings: tyro.conf.OmitArgPrefixes[FitSettings]
    preset: str = "auto"
    """Where the fit's options start: auto (surface or image, by the source; volume if the target is
    occupancy or coverage), surface (the truest surface, by its distance), exact (the same with
    every voxel on its side), volume (occupancy), fast (exact voxels at the lowest cost), fine (a
    smoother occupancy), image, image-compact, miner-paper-volume, miner-paper-image,
    miner-release-volume, miner-release-image."""
    backend: Backend = "auto"
    """Kernel to compute with."""
    device: Device = "auto"
    """Where to compute; auto takes a CUDA GPU if there is one."""
    memory: str = "128MiB"
    """About how much memory blocks under training may take, such as 1GB: a scale is fitted in
    batches, with the same result, and a killed fit goes on after the last batch."""
    fresh: bool = False
    """Start anew instead of going on with an interrupted or finished fit."""
    json: bool = False
    """Print a summary as JSON."""

    def run(self, console: Console) -> None:
        from geom_miner.fit.memory import parse_memory
        from geom_miner.progress import FitProgress
        from geom_miner.resumable import fit_to_file

        if not self.output.resolve().parent.is_dir():
            raise SettingsError(f"cannot write {self.output}: its folder does not exist; make it")
        memory = parse_memory(self.memory)
        signal, grid, info = self._load(console)
        with FitProgress(console) as progress:
            result = fit_to_file(
                signal.to(_device(self.device)),
                grid,
                self.settings,
                self.output,
                info=info,
                backend=self.backend,
                fresh=self.fresh,
                on_progress=progress,
                memory=memory,
            )
        if result.resumed_scales:
            console.print(f"{result.resumed_scales} scales were there from an earlier run.")
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
        summary = {
            "model": str(self.output),
            "file_bytes": self.output.stat().st_size,
            "parameters": result.representation.num_parameters,
            "resumed_scales": result.resumed_scales,
            "scales": scales,
        }
        if self.json:
            print_json(summary)
        else:
            print_rows(f"{self.output}: {self.output.stat().st_size:,} bytes", scales)

    def _load(self, console: Console) -> tuple[Any, Any, dict[str, Any]]:
        """Signal on sparse blocks, its grid, and facts for the file."""
        size = self.settings.block_size
        if self.source.suffix.lower() not in IMAGES:
            return mesh_target(self.source, self.voxels, self.settings, console)
        from geom_miner.media.images import image_to_blocks, read_image

        image = read_image(self.source)
        signal, grid = image_to_blocks(image, size)
        info = {"kind": "image", "bits": image.bits, "source": {"name": self.source.stem}}
        return signal, grid, info


@dataclass(frozen=True)
class Extract:
    """Mesh levels of detail of a model."""

    model: tyro.conf.Positional[Path]
    """Model file."""
    output: Output
    """Folder for the meshes, lod_0.ply (finest), lod_1.ply, ..."""
    lod: str = "all"
    """Levels of detail: all, or numbers such as 0 or 1,3."""
    format: Literal["ply", "obj", "stl", "glb"] = "ply"
    """File format of the meshes."""
    iso_level: float = 0.5
    """Value of the surface; inside is higher."""
    sharp: bool = False
    """Give meshes the sharp edges and corners that marching cubes cuts off. For models of a
    distance (presets surface and exact); needs the memory for the whole mesh."""
    triangles: int | None = None
    """Most triangles that each mesh may have: finer ones are decimated and stay closed, with this
    many or one fewer; coarser ones stay as they are. Needs libigl, and the memory for the whole
    mesh and about 0.5 GB more for a million of its triangles; without it PLY needs little."""
    device: Device = "auto"
    """Where to decode."""
    json: bool = False
    """Print the list of meshes as JSON."""

    def run(self, console: Console) -> None:
        from geom_miner.extract.decimate import check_budget
        from geom_miner.progress import WorkBar
        from geom_miner.storage.model_file import load_model

        wanted = parse_levels(self.lod)
        if self.triangles is not None:
            check_budget(self.triangles)
        representation = load_model(self.model, finest=min(wanted) if wanted else 0)
        representation = representation.to(_device(self.device))
        if representation.grid.ndim != 3:
            raise SettingsError(f"{self.model} holds no volume, so it has no surface; use decode")
        if self.sharp and representation.info.get("target") != "distance":
            raise SettingsError(
                f"{self.model} holds no distance, which alone tells where sharp edges run; fit it "
                "with --target distance, or leave --sharp out"
            )
        _make_folder(self.output)
        rows = []
        for scale in sorted(wanted or range(representation.num_scales), reverse=True):
            path = self.output / f"lod_{scale}.{self.format}"
            with WorkBar(console, f"meshing level of detail {scale}") as bar:
                row, remarks = self._write(path, representation, scale, bar)
            for remark in remarks:
                console.print(f"{path}: {remark}", highlight=False, soft_wrap=True)
            rows.append({"file": str(path), **row})
        if self.json:
            print_json(rows)
        else:
            print_rows(str(self.model), rows)

    def _write(
        self, path: Path, representation: Representation, scale: int, bar: WorkBar
    ) -> tuple[dict[str, Any], list[str]]:
        """Write one mesh; facts about it for the answer, and what else there is to say."""
        from geom_miner.extract.level_of_detail import extract_level, write_level_ply
        from geom_miner.extract.sharpen import sharpen
        from geom_miner.mesh.files import write_mesh

        comments = _mesh_comments(representation.info, scale)
        if self.format == "ply" and self.triangles is None and not self.sharp:
            vertices, faces = write_level_ply(
                path,
                representation,
                scale,
                iso_level=self.iso_level,
                comments=comments,
                on_progress=bar,
            )
            return {"vertices": vertices, "faces": faces}, []
        mesh = extract_level(representation, scale, iso_level=self.iso_level, on_progress=bar)
        facts: dict[str, Any] = {}
        remarks = []
        if self.sharp:
            smooth, mesh = mesh, sharpen(mesh, representation.grid.at_scale(scale).spacing[0])
            facts["vertices_on_edges"] = len(mesh.vertices) - len(smooth.vertices)
            if mesh is smooth:
                remarks.append("no sharp edge found; the mesh is as without --sharp.")
        if self.triangles is not None:
            mesh, report = _decimate(mesh, self.triangles)
            facts |= {
                "triangles_asked": report.asked,
                "triangles_before": report.before,
                "watertight": report.result.watertight,
            }
            remarks.append(report.sentence())
        write_mesh(path, mesh, comments=comments)
        return {"vertices": len(mesh.vertices), "faces": len(mesh.faces), **facts}, remarks


@dataclass(frozen=True)
class Decode:
    """Decode samples of a model: a picture as PNG or TIFF, anything as NPY, NRRD or Zarr."""

    model: tyro.conf.Positional[Path]
    """Model file."""
    output: Output
    """File to write: .png or .tif for two axes; .npy (*shape, channel), .nrrd or .zarr for any."""
    lod: int = 0
    """Level of detail, 0 the finest; coarser ones read only the start of the file."""
    region: str | None = None
    """Box of samples to decode, per axis start:stop (a missing number is the axis's end) or one
    index, which leaves the axis out: 10:200,:64,: or the slice 100,:,:"""
    dtype: Literal["float32", "uint8"] = "float32"
    """Type of the samples; uint8 is occupancy cut at 1/2, 1 inside and 0 outside."""
    compress: bool = True
    """Pack the samples of .nrrd (gzip) and .zarr (zstd)."""
    device: Device = "auto"
    """Where to decode."""
    json: bool = False
    """Print shape and file as JSON."""

    def run(self, console: Console) -> None:
        from geom_miner.cli.decoding import check_output, sample_stream, write_samples
        from geom_miner.progress import WorkBar
        from geom_miner.storage.model_file import load_model

        check_output(self.output)
        representation = load_model(self.model, finest=self.lod).to(_device(self.device))
        region = parse_region(self.region, representation.shape_at(self.lod))
        with WorkBar(console, "decoding") as bar:
            stream = sample_stream(
                representation, self.lod, region, self.dtype, self.compress, on_progress=bar
            )
            shape = write_samples(self.output, stream)
        if self.json:
            print_json({"file": str(self.output), "lod": self.lod, "shape": shape})
        else:
            console.print(f"{self.output}: {' x '.join(map(str, shape))}", highlight=False)


@dataclass(frozen=True)
class Info:
    """Say what a model file holds."""

    model: tyro.conf.Positional[Path]
    """Model file; one that is cut after a scale will do."""
    json: bool = False
    """Print as JSON."""

    def run(self, console: Console) -> None:
        from geom_miner.storage.model_file import describe_model

        facts = describe_model(self.model)
        if self.json:
            print_json(facts)
            return
        source = facts["info"].get("source", {})
        title = f"{self.model}: {facts['info'].get('kind', 'signal')} of {source.get('name', '?')}"
        if source.get("stand_in"):
            title += " (built-in STAND-IN, not the real shape)"
        if not facts["complete"]:
            title += " (CUT SHORT: finer scales are missing)"
        print_rows(title, facts["scales"])


@dataclass(frozen=True)
class Query:
    """Interpolate a model at points given in world coordinates."""

    model: tyro.conf.Positional[Path]
    """Model file."""
    points: tyro.conf.Positional[Path]
    """NPY file of points, shape (n, axes)."""
    output: Output
    """NPY file to write: values, shape (n, channel), float32."""
    lod: int = 0
    """Level of detail, 0 the finest."""
    device: Device = "auto"
    """Where to decode."""

    def run(self, console: Console) -> None:
        from geom_miner.media.arrays import read_array, write_array
        from geom_miner.storage.model_file import load_model

        points = read_array(self.points)
        representation = load_model(self.model, finest=self.lod).to(_device(self.device))
        with console.status("querying"):
            values = representation.query(points, self.lod)
        write_array(self.output, values)
        console.print(f"{self.output}: {len(values):,} values", highlight=False)


def _decimate(mesh: TriangleMesh, triangles: int) -> tuple[TriangleMesh, DecimationReport]:
    """The mesh within the budget, and a report on it in single precision, as files have it."""
    import numpy as np

    from geom_miner.extract.decimate import decimate, report_decimation
    from geom_miner.mesh.triangle_mesh import TriangleMesh

    small = decimate(mesh, triangles)
    written = TriangleMesh(small.vertices.astype(np.float32), small.faces)
    return small, report_decimation(mesh, written, triangles)


def _device(name: Device) -> str:
    from geom_miner.kernels import choose_device

    return choose_device(name)


def _mesh_comments(info: Any, scale: int) -> list[str]:
    source = info.get("source", {})
    lines = [
        f"geom_miner {__version__}, level of detail {scale} of {source.get('name', 'a model')}"
    ]
    if source.get("stand_in"):
        lines.append("STAND-IN: a built-in procedural shape, not the real one")
    return lines


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"cannot make folder {path}: {error.strerror}; choose a writable place"
        ) from error
