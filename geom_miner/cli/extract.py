"""The command ``geom-miner extract``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import tyro
from rich.console import Console

from geom_miner.atomic_files import make_folder
from geom_miner.cli.answers import parse_levels, print_json, print_rows
from geom_miner.cli.options import Device, Force, Output, device_of
from geom_miner.constraints import CheckedSettings, Range
from geom_miner.errors import EmptySurfaceError, MeshError, SettingsError
from geom_miner.outputs import MADE_BY, check_output

if TYPE_CHECKING:
    from geom_miner.extract.decimation import DecimationReport
    from geom_miner.grid.signal_info import SignalInfo
    from geom_miner.mesh.triangle_mesh import TriangleMesh
    from geom_miner.model.representation import Representation
    from geom_miner.progress import Progress


@dataclass(frozen=True)
class Extract(CheckedSettings):
    """Mesh levels of detail of a model."""

    memory_remedy: ClassVar = "take a coarser level with --lod"

    model: tyro.conf.Positional[Path]
    """Model file."""
    output: Output
    """Folder for the meshes, lod_0.ply (finest), lod_1.ply, ..."""
    lod: str = "all"
    """Levels of detail: all, or numbers such as 0 or 1,3."""
    format: str = "ply"
    """File format of the meshes: ply, obj, stl, glb, or another that has a writer."""
    iso_level: Annotated[float, Range(-1e6, 1e6)] = 0.5
    """Value of the surface; inside is higher."""
    sharp: bool = False
    """Give meshes the sharp edges and corners that marching cubes cuts off. For models of a
    distance (presets surface and exact); needs the memory for the whole mesh."""
    supersample: Literal[1, 2, 4] = 1
    """Mesh so many samples along each axis for every one of the model. Models of cosine blocks
    (preset compact) go on between their samples, so the mesh is closer to the source; it has 4 or
    16 times the triangles."""
    triangles: int | None = None
    """Most triangles that each mesh may have: finer ones are decimated and stay closed, with this
    many or one fewer; coarser ones stay as they are. Needs libigl, and the memory for the whole
    mesh and about 0.5 GB more for a million of its triangles; without it PLY needs little."""
    device: Device = "auto"
    """Where to decode."""
    force: Force = False
    json: bool = False
    """Print the list of meshes as JSON."""

    def run(self, console: Console) -> None:
        from geom_miner.extract.decimation import check_budget
        from geom_miner.mesh.files import WRITABLE_MESH_SUFFIXES
        from geom_miner.progress_bars import LevelBar
        from geom_miner.storage.reader import load_model

        if f".{self.format}" not in WRITABLE_MESH_SUFFIXES:
            names = ", ".join(suffix[1:] for suffix in WRITABLE_MESH_SUFFIXES)
            raise SettingsError(f"format must be one of {names}, got {self.format!r}")
        wanted = parse_levels(self.lod)
        if self.triangles is not None:
            check_budget(self.triangles)
        representation = load_model(self.model, finest=min(wanted) if wanted else 0)
        representation = representation.to(device_of(self.device))
        if representation.grid.ndim != 3:
            raise SettingsError(f"{self.model} holds no volume, so it has no surface; use decode")
        if self.sharp and not representation.info.is_distance:
            raise SettingsError(
                f"{self.model} holds no distance, which alone tells where sharp edges run; fit it "
                "with --target distance, or leave --sharp out"
            )
        self._check_precision(representation, min(wanted or [0]))
        scales = sorted(wanted or range(representation.num_scales), reverse=True)
        paths = {scale: self.output / f"lod_{scale}.{self.format}" for scale in scales}
        make_folder(self.output)
        for path in paths.values():
            check_output(path, MeshError, inputs=[self.model], force=self.force)
        rows: list[dict[str, Any]] = []
        with LevelBar(console, "meshing", scales) as bar:
            for scale, path in paths.items():
                bar.begin(scale)
                try:
                    row, remarks = self._write(path, representation, scale, bar)
                except EmptySurfaceError as error:
                    console.print(f"{error}; it is not written.", highlight=False, soft_wrap=True)
                    continue
                for remark in remarks:
                    console.print(f"{path}: {remark}", highlight=False, soft_wrap=True)
                rows.append({"file": str(path), **row})
        if not rows:
            raise EmptySurfaceError(
                f"{self.model} has no surface at the iso level {self.iso_level:g}, so no mesh was "
                "written; choose another iso level, or fit a mesh that encloses samples"
            )
        if self.json:
            print_json(rows)
        else:
            print_rows(str(self.model), rows)

    def _check_precision(self, representation: Representation, finest: int) -> None:
        """Refuse a format that is too coarse for the finest level, before any is meshed."""
        from geom_miner.mesh.files import check_precision
        from geom_miner.mesh.precision import grid_needs_double, largest_of_grid

        grid = representation.grid.at_scale(finest).refined(self.supersample)
        path = self.output / f"lod_{finest}.{self.format}"
        check_precision(path, largest_of_grid(grid), double=grid_needs_double(grid))

    def _write(
        self, path: Path, representation: Representation, scale: int, bar: Progress
    ) -> tuple[dict[str, Any], list[str]]:
        """Write one mesh; facts about it for the answer, and what else there is to say."""
        from geom_miner.extract.level_of_detail import extract_level, write_level_ply
        from geom_miner.extract.sharpening import sharpen
        from geom_miner.mesh.files import write_mesh
        from geom_miner.mesh.precision import grid_needs_double

        comments = _mesh_comments(representation.info, scale)
        if self.format == "ply" and self.triangles is None and not self.sharp:
            vertices, faces = write_level_ply(
                path,
                representation,
                scale,
                iso_level=self.iso_level,
                supersample=self.supersample,
                comments=comments,
                progress=bar,
            )
            return {"vertices": vertices, "faces": faces}, []
        mesh = extract_level(
            representation,
            scale,
            iso_level=self.iso_level,
            supersample=self.supersample,
            progress=bar,
        )
        if not len(mesh.faces):
            raise EmptySurfaceError(
                f"{path} would have no faces: no sample reaches the iso level {self.iso_level:g}"
            )
        grid = representation.grid.at_scale(scale).refined(self.supersample)
        double = grid_needs_double(grid)
        facts: dict[str, Any] = {}
        remarks = []
        if self.sharp:
            smooth, mesh = mesh, sharpen(mesh, grid.spacing[0])
            facts["vertices_on_edges"] = len(mesh.vertices) - len(smooth.vertices)
            if mesh is smooth:
                remarks.append("no sharp edge found; the mesh is as without --sharp.")
        if self.triangles is not None:
            mesh, report = _decimate(mesh, self.triangles, double=double)
            facts |= {
                "triangles_requested": report.requested,
                "triangles_before": report.before,
                "watertight": report.result.watertight,
            }
            remarks.append(report.sentence())
        write_mesh(path, mesh, comments=comments, double=double)
        return {"vertices": len(mesh.vertices), "faces": len(mesh.faces), **facts}, remarks


def _decimate(
    mesh: TriangleMesh, triangles: int, *, double: bool
) -> tuple[TriangleMesh, DecimationReport]:
    """The mesh within the budget, and a report on it in the precision that the file has."""
    import numpy as np

    from geom_miner.extract.decimation import decimate, report_decimation
    from geom_miner.mesh.triangle_mesh import TriangleMesh

    small = decimate(mesh, triangles)
    stored = np.float64 if double else np.float32
    written = TriangleMesh(small.vertices.astype(stored).astype(np.float64), small.faces)
    return small, report_decimation(mesh, written, triangles)


def _mesh_comments(info: SignalInfo, scale: int) -> list[str]:
    name = info.source.name or "a model"
    lines = [f"{MADE_BY}, level of detail {scale} of {name}"]
    return [*lines, info.notice] if info.notice else lines
