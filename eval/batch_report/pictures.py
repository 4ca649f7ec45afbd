"""Pictures of a shape: the source and every contender in one frame, whole, close by, and colored.

A picture is drawn once: its name says what it shows, so that a rerun finds it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.ndimage import uniform_filter
from scipy.spatial import cKDTree

from eval.batch_report.error_colors import ErrorScale, scale_for
from eval.batch_report.rows import Row
from eval.clouds.files import read_cloud
from eval.clouds.point_cloud import PointCloud
from eval.experiment.cell import errors_file
from eval.experiment.subjects import Subject
from eval.render import render_mesh
from eval.view import View
from geom_miner import TriangleMesh, read_mesh
from geom_miner.atomic_files import make_folder, new_file
from geom_miner.errors import SettingsError

Floats = npt.NDArray[np.float64]

# Pixels of a picture's height; its width follows the shape within these shares of it.
HEIGHT = 520
_NARROW, _WIDE = 0.62, 1.3
# How much closer the closer look is.
ZOOM = 4.5
_STYLE = "1"  # changes when pictures of the same things come to look different


@dataclass(frozen=True)
class Shown:
    """Files of the pictures of one contender, or of the source, which has no errors."""

    row: Row | None
    whole: Path
    near: Path
    errors: Path | None = None


@dataclass(frozen=True)
class ShapePictures:
    """The source, and every contender that gave a mesh."""

    subject: Subject
    source: Shown
    scale: ErrorScale | None
    shown: list[Shown] = field(default_factory=list)

    def of(self, row: Row) -> Shown | None:
        """The pictures of a row."""
        return next((shown for shown in self.shown if shown.row is row), None)


def draw_shape(subject: Subject, rows: Sequence[Row], folder: Path) -> ShapePictures:
    """Draw a shape's pictures into ``folder/<name>/pictures``; what is there already is kept.

    Parameters
    ----------
    rows : of the shape, the ones to be drawn; those without a mesh are left out.
    folder : of the run.
    """
    truth = cache(partial(_source_mesh, subject))
    view = subject.view.framing(truth())
    assert view.half_size is not None
    aspect = float(np.clip(view.half_size[0] / view.half_size[1], _NARROW, _WIDE))
    easel = _Easel(make_folder(folder / subject.name / "pictures"), round(HEIGHT * aspect))
    source = easel.draw("source", subject.digest, truth, view)

    made = [(row, record) for row in rows if (record := row.shown)]
    meshes = [cache(partial(read_mesh, folder / record["mesh"])) for _, record in made]
    names = [(Path(record["mesh"]).stem, str(record["mesh_digest"])) for _, record in made]
    wholes = [easel.draw(*name, mesh, view) for name, mesh in zip(names, meshes, strict=True)]
    near = _closer(view, source, wholes)
    errors = [
        np.load(folder / errors_file(record["mesh"]), allow_pickle=False).astype(np.float64)
        for _, record in made
    ]
    scale = _scale(subject, [row for row, _ in made], errors)
    pictures = ShapePictures(
        subject, Shown(None, source, easel.draw("source-near", subject.digest, truth, near)), scale
    )
    for (row, _), (stem, digest), mesh, whole, distances in zip(
        made, names, meshes, wholes, errors, strict=True
    ):
        closer = easel.draw(f"{stem}-near", digest, mesh, near)
        colored = easel.draw(f"{stem}-errors", digest, mesh, view, scale, distances)
        pictures.shown.append(Shown(row, whole, closer, colored))
    return pictures


@dataclass(frozen=True)
class _Easel:
    """Where pictures of one shape are drawn, all in one size."""

    place: Path
    width: int

    def draw(
        self,
        stem: str,
        digest: str,
        mesh: Callable[[], TriangleMesh],
        view: View,
        scale: ErrorScale | None = None,
        distances: Floats | None = None,
    ) -> Path:
        """The file of a picture, drawn if it isn't there; ``digest`` is what the mesh is."""
        decides = repr((_STYLE, digest, view, self.width, HEIGHT, scale))
        path = self.place / f"{stem}-{hashlib.sha256(decides.encode()).hexdigest()[:8]}.webp"
        if not path.is_file():
            colors = None if scale is None or distances is None else scale.colors(distances)
            picture = render_mesh(
                mesh(),
                width=self.width,
                height=HEIGHT,
                view=view,
                colors=colors,
                supersampling=2,
                transparent=True,
            )
            with new_file(path, SettingsError) as file:
                Image.fromarray(picture).save(file, "WEBP", quality=86, method=4)
        return path


def splats(cloud: PointCloud) -> TriangleMesh:
    """A square on every point, as large as the points lie apart, to draw a cloud as a surface.

    It lies across the normal; without normals every point has three, across the axes.
    """
    step = max(1, len(cloud) // 5000)
    apart = np.asarray(cKDTree(cloud.points).query(cloud.points[::step], k=[2])[0])
    apart = apart[np.isfinite(apart) & (apart > 0)]
    half = 1.1 * float(np.median(apart)) if len(apart) else cloud.diagonal / 200
    points, normals = cloud.points, cloud.normals
    if normals is None:
        points = np.repeat(points, 3, axis=0)
        normals = np.tile(np.eye(3), (len(cloud), 1))
    across = np.eye(3)[np.abs(normals).argmin(axis=1)]
    first = np.cross(normals, across)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(normals, first)
    corners = [
        points + half * (a * first + b * second) for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))
    ]
    vertices = np.stack(corners, axis=1).reshape(-1, 3)
    starts = 4 * np.arange(len(points))[:, None, None]
    return TriangleMesh(vertices, (starts + np.array([[0, 1, 2], [0, 2, 3]])).reshape(-1, 3))


def _source_mesh(subject: Subject) -> TriangleMesh:
    return splats(read_cloud(subject.file)) if subject.cloud else read_mesh(subject.file)


def _scale(subject: Subject, rows: Sequence[Row], errors: Sequence[Floats]) -> ErrorScale | None:
    if not rows:
        return None
    grids = {row.contender.resolution for row in rows}
    if len(grids) == 1 and not subject.cloud:
        return scale_for(errors, unit="voxels", length=subject.longest / grids.pop())
    return scale_for(errors, unit="% of the diagonal", length=subject.diagonal / 100)


def _closer(view: View, source: Path, others: Sequence[Path]) -> View:
    """The part of the view where pictures of the contenders differ most from the source's."""
    assert view.center is not None
    assert view.half_size is not None
    true = _gray(source)
    rows, columns = true.shape
    window = max(1, round(rows / ZOOM)), max(1, round(columns / ZOOM))
    # The median of the contenders: one that went astray everywhere does not choose the place.
    apart = [np.abs(_gray(other) - true) for other in others] or [true]
    mean = uniform_filter(np.median(apart, axis=0), window, mode="constant")
    row, column = np.unravel_index(int(mean.argmax()), mean.shape)
    # Keep the window inside of the picture.
    row = np.clip(row, window[0] // 2, rows - 1 - window[0] // 2)
    column = np.clip(column, window[1] // 2, columns - 1 - window[1] // 2)
    per_pixel = 2 * max(view.half_size[1], view.half_size[0] * rows / columns) / (0.9 * rows)
    right, up, _ = view.axes
    shift = ((column + 0.5 - columns / 2) * right - (row + 0.5 - rows / 2) * up) * per_pixel
    x, y, z = (np.array(view.center) + shift).tolist()
    half = 0.45 * per_pixel * np.array([columns, rows]) / ZOOM
    return replace(view, center=(x, y, z), half_size=(float(half[0]), float(half[1])))


def _gray(path: Path) -> Floats:
    """A picture over mid gray, so that outlines count as much as what is inside of them."""
    picture = np.asarray(Image.open(path).convert("RGBA"), dtype=np.float64) / 255
    gray: Floats = picture[..., :3].mean(axis=2) * picture[..., 3] + 0.5 * (1 - picture[..., 3])
    return gray
