"""Figures: cubes of blocks, outlines, sheets and curves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eval import MetricError, View
from eval.pictures import (
    BlockLayer,
    QualityPoint,
    active_blocks_figure,
    blocks_mesh,
    contact_sheet,
    curve_panels,
    draw_block_outlines,
    quality_over_time,
)
from geom_miner import diagnose
from tests.shapes import sphere

LOW = np.array([[0.0, 0, 0], [1, 0, 0], [4, 5, 6]])


def test_cubes_are_closed_separate_and_of_the_right_volume() -> None:
    mesh = blocks_mesh(LOW, 1.0, inset=0.1)
    found = diagnose(mesh)
    assert found.watertight
    assert found.components == 3
    assert found.volume == pytest.approx(3 * 0.9**3)  # > 0: the faces point outwards
    low, high = mesh.bounds
    assert np.allclose([low, high], [[0.05] * 3, [4.95, 5.95, 6.95]], atol=1e-12)


def test_cubes_take_a_size_per_axis_or_per_block() -> None:
    assert blocks_mesh(LOW, (1, 2, 3), inset=0).volume == pytest.approx(18)
    assert blocks_mesh(LOW, [[1.0], [2.0], [3.0]], inset=0).volume == pytest.approx(1 + 8 + 27)
    assert len(blocks_mesh(np.zeros((0, 3)), 1.0).faces) == 0
    with pytest.raises(MetricError, match="inset must lie"):
        blocks_mesh(LOW, 1.0, inset=1.0)


def test_outlines_mark_the_border_of_each_block_and_nothing_else() -> None:
    image = np.full((8, 12, 3), 7, dtype=np.uint8)
    drawn = draw_block_outlines(image, [[0, 4], [4, 8]], 4, color=(1, 2, 3))
    expected = image.copy()
    for row, column in ((0, 4), (4, 8)):
        expected[row : row + 4, column : column + 4] = (1, 2, 3)
        expected[row + 1 : row + 3, column + 1 : column + 3] = 7
    assert np.array_equal(drawn, expected)
    assert (image == 7).all()


def test_outlines_take_gray_pictures_and_oblong_blocks() -> None:
    drawn = draw_block_outlines(np.zeros((6, 9, 1), dtype=np.uint8), [[1, 2]], (3, 5))
    rows, columns = np.nonzero(drawn.any(axis=2))
    assert drawn.shape == (6, 9, 3)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (1, 3, 2, 6)
    with pytest.raises(MetricError, match="image must be"):
        draw_block_outlines(np.zeros((6, 9, 3)), [[1, 2]], 3)  # type: ignore[arg-type]


def test_a_sheet_keeps_the_pictures_and_writes_below_them() -> None:
    red, blue = (np.full((30, 60, 3), c, dtype=np.uint8) for c in ((200, 0, 0), (0, 0, 200)))
    sheet = contact_sheet([red, blue], ["source", "LoD 0\n12 KB"], caption_height=40, gap=10)
    assert sheet.shape == (70, 130, 3)
    assert np.array_equal(sheet[:30, :60], red)
    assert np.array_equal(sheet[:30, 70:], blue)
    for column in (slice(0, 60), slice(70, 130)):
        assert (sheet[30:, column] < 128).any()
    with pytest.raises(MetricError, match="one caption per image"):
        contact_sheet([red], [])
    with pytest.raises(MetricError, match="one height"):
        contact_sheet([red, blue[:20]], ["a", "b"])


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_a_curve_is_written(tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("matplotlib")
    history = [QualityPoint(float(i), 1 - 0.5**i, 2 - i // 4) for i in range(12)]
    path = tmp_path / f"curve{suffix}"
    quality_over_time(history, path, quantity="IoU")
    if suffix == ".png":
        with Image.open(path) as image:
            assert np.asarray(image.convert("L")).std() > 5
    else:
        text = path.read_text()
        assert all(f"scale {scale}" in text for scale in (0, 1, 2))
    with pytest.raises(MetricError, match="at least one point"):
        quality_over_time([], path, quantity="IoU")


def test_blocks_of_each_scale_share_a_frame() -> None:
    pytest.importorskip("embreex")
    ball = sphere(1.0, subdivisions=2)
    coarse = BlockLayer(1, np.array([[-1.0, -1, -1]]), 2.0, ball)
    fine = BlockLayer(0, np.array([[-1.0, -1, -1], [0, 0, 0]]), 1.0)
    sheet = active_blocks_figure([coarse, fine], view=View(0, 0), width=80, height=60)
    assert sheet.shape == (2 * 60 + 44, 2 * 80 + 12, 3)
    upper = sheet[:60].min(axis=2) < 240
    # Seen along y, one cube covers the square of which two fine ones cover opposite quarters.
    assert upper[:, 92:].sum() / upper[:, :80].sum() == pytest.approx(0.5, abs=0.06)
    lower = sheet[60:120].min(axis=2) < 240
    assert lower[:, :80].any()
    assert not lower[:, 92:].any()
    with pytest.raises(MetricError, match="at least one layer"):
        active_blocks_figure([])
    with pytest.raises(MetricError, match="no active blocks"):
        active_blocks_figure([BlockLayer(0, np.zeros((0, 3)), 1.0)])


def test_panels_stand_in_rows_of_four_and_a_label_has_one_color(tmp_path: Path) -> None:
    line = [(10.0, 1.0), (100.0, 0.1)]
    labels = [f"method {number}" for number in range(8)]
    few = {"a": {labels[0]: line}}
    many = {title: dict.fromkeys(labels[k:], line) for k, title in enumerate("abcde")}
    sizes = []
    for panels in (few, many):
        curve_panels(panels, tmp_path / "p.png", x="bytes", y="error")
        with Image.open(tmp_path / "p.png") as image:
            sizes.append(image.size)
    # Four panels in a row of 2.1 inches, two rows of 1.9 inches, at 200 dots per inch.
    assert sizes[1][0] - sizes[0][0] == pytest.approx(3 * 2.1 * 200, abs=1)
    assert sizes[1][1] - sizes[0][1] == pytest.approx(1.9 * 200, abs=1)
