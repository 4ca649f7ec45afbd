"""Pictures of a shape: one frame, one scale, drawn once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from eval.benchmark import BatchResult
from eval.benchmark.cell import errors_file
from eval.pictures import comparison
from eval.report.rows import rows_of
from eval.report.shape_pictures import draw_shape
from geom_miner import write_mesh
from tests.eval.report.made_up import finished, subject
from tests.shapes import box, sphere

pytest.importorskip("embreex")


@pytest.fixture
def drawn_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BatchResult:
    """A cube, and two methods: itself, and a ball in its place; a third one failed."""
    monkeypatch.setattr(comparison, "HEIGHT", 64)
    write_mesh(tmp_path / "cube.ply", box())
    cube = subject("cube", file=tmp_path / "cube.ply", diagonal=3**0.5, longest=1.0)
    methods = ["miner", "poisson", "igr"]
    run = finished(
        [cube], methods, lambda c: "hung." if c.entry.method == "igr" else 0.1, folder=tmp_path
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


def test_source_and_methods_share_a_frame(drawn_run: BatchResult) -> None:
    rows = rows_of(drawn_run)
    found = draw_shape(drawn_run.subjects[0], rows, drawn_run.folder)
    assert [row for row, _ in found.shown] == rows[:2]
    assert found.of(rows[2]) is None
    source = pixels(found.source.whole)
    same, other = (pixels(shown.whole) for _, shown in found.shown)
    assert np.array_equal(source, same)
    # The ball touches the faces of the cube, so its disk is as wide and less high.
    assert (other[..., 3] > 128).sum() < (same[..., 3] > 128).sum()
    # Close by there is something that differs.
    near = [pixels(shown.near) for _, shown in found.shown]
    assert np.abs(near[0] - near[1]).mean() > 10
    # Near is pale, far is dark, by one scale.
    pale, dark = (pixels(shown.errors) for _, shown in found.shown if shown.errors)
    middle = (slice(28, 36), slice(28, 36))
    assert pale[middle][..., :3].mean() > dark[middle][..., :3].mean() + 60


def test_pictures_are_drawn_once(drawn_run: BatchResult, monkeypatch: pytest.MonkeyPatch) -> None:
    def draw() -> set[Path]:
        found = draw_shape(drawn_run.subjects[0], rows_of(drawn_run), drawn_run.folder)
        return {found.source.whole, *(s.whole for _, s in found.shown)}

    first = draw()

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("drawn again")

    monkeypatch.setattr(comparison, "render_mesh", never)
    assert draw() == first
    # Another mesh under the same name is another picture.
    drawn_run.records[0]["mesh_digest"] = "other"
    with pytest.raises(AssertionError, match="drawn again"):
        draw()
