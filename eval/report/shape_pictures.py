"""The pictures of a shape in a report: its source and every method entry that gave a mesh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eval.benchmark.cell import errors_file
from eval.benchmark.subjects import Subject
from eval.clouds.files import read_cloud
from eval.pictures.colors import ErrorScale, scale_for
from eval.pictures.comparison import Exhibit, Shown, draw_comparison
from eval.pictures.point_splats import splats
from eval.report.rows import Row
from eval.runs.records import Record
from geom_miner import TriangleMesh, read_mesh
from geom_miner.atomic_files import make_folder

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ShapePictures:
    """The pictures of the source, and of every row with a mesh."""

    source: Shown
    scale: ErrorScale | None
    shown: tuple[tuple[Row, Shown], ...] = ()

    def of(self, row: Row) -> Shown | None:
        """The pictures of a row."""
        return next((shown for other, shown in self.shown if other is row), None)


def draw_shape(subject: Subject, rows: Sequence[Row], folder: Path) -> ShapePictures:
    """Draw a shape's pictures into ``folder/<name>/pictures``; existing ones are kept.

    Parameters
    ----------
    rows : of the shape; those without a mesh are left out.
    folder : of the run.
    """
    source = Exhibit("source", subject.digest, partial(_source_mesh, subject))
    rows = [row for row in rows if row.made]
    exhibits = [_exhibit(record, folder) for row in rows if (record := row.shown)]
    scale = _scale(subject, rows, [e.distances for e in exhibits if e.distances is not None])
    pictures = make_folder(folder / subject.name / "pictures")
    view = subject.view.framing(source.mesh)
    of_source, others = draw_comparison(source, exhibits, view, scale, pictures)
    return ShapePictures(of_source, scale, tuple(zip(rows, others, strict=True)))


def _exhibit(record: Record, folder: Path) -> Exhibit:
    mesh = folder / record["mesh"]
    distances = np.load(folder / errors_file(record["mesh"]), allow_pickle=False)
    digest = str(record["mesh_digest"])
    return Exhibit(mesh.stem, digest, partial(read_mesh, mesh), distances.astype(np.float64))


def _source_mesh(subject: Subject) -> TriangleMesh:
    return splats(read_cloud(subject.file)) if subject.cloud else read_mesh(subject.file)


def _scale(subject: Subject, rows: Sequence[Row], errors: Sequence[Floats]) -> ErrorScale | None:
    if not rows:
        return None
    grids = {row.entry.resolution for row in rows}
    if len(grids) == 1 and not subject.cloud:
        return scale_for(errors, unit="voxels", length=subject.longest / grids.pop())
    return scale_for(errors, unit="% of the diagonal", length=subject.diagonal / 100)
