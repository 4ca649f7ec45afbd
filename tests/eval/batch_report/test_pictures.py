"""Pictures: one frame, one scale, drawn once; and the colors of distances."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from eval.batch_report import pictures
from eval.batch_report.error_colors import ErrorScale, scale_for
from eval.batch_report.pictures import draw_shape, splats
from eval.batch_report.rows import rows_of
from eval.clouds.point_cloud import PointCloud
from eval.experiment.cell import errors_file
from eval.experiment.run import Finished
from geom_miner import write_mesh
from tests.eval.batch_report.made_up import finished, subject
from tests.shapes import box, sphere

pytest.importorskip("embreex")


@pytest.fixture
def drawn_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Finished:
    """A cube, and two contenders: itself, and a ball in its place; a third one failed."""
    monkeypatch.setattr(pictures, "HEIGHT", 64)
    write_mesh(tmp_path / "cube.ply", box())
    cube = subject("cube", file=tmp_path / "cube.ply", diagonal=3**0.5, longest=1.0)
    methods = ["miner", "poisson", "igr"]
    run = finished(
        [cube], methods, lambda c: "hung." if c.contender.method == "igr" else 0.1, folder=tmp_path
    )
    (tmp_path / "cube").mkdir()
    for record, mesh in zip(run.records, (box(), sphere(0.5, (0.5, 0.5, 0.5))), strict=False):
        write_mesh(tmp_path / record["mesh"], mesh)
        record["mesh_digest"] = str(len(mesh.faces))
        away = np.full(len(mesh.vertices), 0.002 if len(mesh.faces) == 12 else 0.2)
        np.save(tmp_path / errors_file(record["mesh"]), away.astype(np.float32))
    return run


def pixels(path: Path) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(path).convert("RGBA"), dtype=float)


def test_source_and_contenders_share_a_frame(drawn_run: Finished) -> None:
    rows = rows_of(drawn_run)
    found = draw_shape(drawn_run.subjects[0], rows, drawn_run.folder)
    assert [shown.row for shown in found.shown] == rows[:2]
    assert found.of(rows[2]) is None
    source = pixels(found.source.whole)
    same, other = (pixels(shown.whole) for shown in found.shown)
    assert np.array_equal(source, same)
    # The ball touches the faces of the cube, so its disk is as wide and less high.
    assert (other[..., 3] > 128).sum() < (same[..., 3] > 128).sum()
    # Close by there is something that differs.
    near = [pixels(shown.near) for shown in found.shown]
    assert np.abs(near[0] - near[1]).mean() > 10
    # Near is pale, far is dark, by one scale.
    pale, dark = (pixels(shown.errors) for shown in found.shown if shown.errors)
    middle = (slice(28, 36), slice(28, 36))
    assert pale[middle][..., :3].mean() > dark[middle][..., :3].mean() + 60


def test_pictures_are_drawn_once(drawn_run: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    def draw() -> set[Path]:
        found = draw_shape(drawn_run.subjects[0], rows_of(drawn_run), drawn_run.folder)
        return {found.source.whole, *(s.whole for s in found.shown)}

    first = draw()

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("drawn again")

    monkeypatch.setattr(pictures, "render_mesh", never)
    assert draw() == first
    # Another mesh under the same name is another picture.
    drawn_run.records[0]["mesh_digest"] = "other"
    with pytest.raises(AssertionError, match="drawn again"):
        draw()


def test_scales_are_round_and_hold_what_they_are_for() -> None:
    good, bad = np.geomspace(0.003, 0.03, 100), np.geomspace(0.5, 7.0, 100)
    scale = scale_for([good, bad], unit="voxels", length=0.1)
    assert (scale.low, scale.high) == (0.1, 100.0)
    assert scale_for([good * 0], unit="voxels", length=1.0).low > 0
    # Three powers of ten at most: the near end gives way.
    wide = scale_for([good * 1e-6, bad], unit="voxels", length=0.1)
    assert wide.high / wide.low == pytest.approx(1000)
    assert wide.ticks[0] == (0.0, "≤ 0.1")
    assert wide.ticks[-1] == (1.0, "≥ 100")


def test_colors_get_darker_with_the_distance_and_keep_to_the_ends() -> None:
    scale = ErrorScale(0.1, 10.0, "voxels", 0.5)
    values = np.array([0.0, 0.05, 0.2, 1.0, 5.0, 1e6]) * 1.0
    light = scale.colors(values) @ np.array([0.2126, 0.7152, 0.0722])
    assert light[0] == light[1]
    assert light[4] == light[5]
    assert (np.diff(light[1:5]) < 0).all()
    assert scale.gradient.startswith("linear-gradient(to right, rgb(")


@pytest.mark.parametrize("with_normals", [True, False])
def test_splats_cover_a_scanned_sphere(with_normals: bool) -> None:
    ball = sphere(1.0, subdivisions=4).vertices
    mesh = splats(PointCloud(ball, ball if with_normals else None))
    count = len(ball) * (1 if with_normals else 3)
    assert len(mesh.faces) == 2 * count
    # Squares overlap a little, so that no holes are seen, and stay near their points.
    assert mesh.area > 4 * np.pi
    centers = mesh.vertices.reshape(count, 4, 3).mean(axis=1)
    assert centers == pytest.approx(np.repeat(ball, count // len(ball), axis=0))
    if with_normals:
        assert mesh.volume > 0  # they face outward
