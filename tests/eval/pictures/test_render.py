"""Pictures: the right outline, light from the front, one frame for all, the same every time."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from eval import MetricError, View, render_mesh
from geom_miner import TriangleMesh
from geom_miner.errors import BackendUnavailable
from tests.shapes import box, joined, sphere

pytest.importorskip("embreex")
BALL = sphere(1.0, (3.0, -2.0, 5.0), subdivisions=5)
FRONT = View(azimuth=0, elevation=0)
PAPER = 251  # the background's gray


def covered(picture: np.ndarray) -> np.ndarray:
    """Share of each pixel that is not background, judged by the darkest channel."""
    return (picture.min(axis=2) < PAPER - 2).astype(float)


def test_a_sphere_fills_its_disk() -> None:
    picture = render_mesh(BALL, width=160, height=120, view=FRONT)
    assert picture.shape == (120, 160, 3)
    assert picture.dtype == np.uint8
    # The margin of 5 % on both sides leaves a radius of 0.45 of the height.
    assert covered(picture).sum() == pytest.approx(np.pi * (0.45 * 120) ** 2, rel=0.02)
    for corner in (picture[0, 0], picture[0, -1], picture[-1, 0], picture[-1, -1]):
        assert corner.tolist() == [PAPER] * 3


def test_a_sphere_is_lit_from_the_viewer_and_from_above() -> None:
    picture = render_mesh(BALL, width=120, height=120, view=FRONT).mean(axis=2)
    row, column = np.mgrid[:120, :120] + 0.5 - 60
    radius = np.hypot(row, column) / 54
    center, rim = picture[radius < 0.25].mean(), picture[(radius > 0.9) & (radius < 0.97)].mean()
    assert center > rim + 10
    inside = radius < 0.9
    assert picture[inside & (row < 0)].mean() > picture[inside & (row > 0)].mean() + 10


def test_views_show_the_axes_they_name() -> None:
    # A long bar along x and a mark at its positive end, on top of it.
    mesh = joined(box((-2, -0.1, -0.1), (2, 0.1, 0.1)), box((1.8, -0.1, 0.1), (2, 0.1, 0.6)))
    front = covered(render_mesh(mesh, width=90, height=90, view=FRONT))
    behind = covered(render_mesh(mesh, width=90, height=90, view=View(azimuth=180, elevation=0)))
    upper = slice(0, 46)
    assert front[upper, 60:].sum() > 30
    assert front[upper, :30].sum() == 0
    assert behind[upper, :30].sum() > 30
    assert behind[upper, 60:].sum() == 0
    # With y up the mark points at the viewer of z, and nothing but the bar is seen.
    flat = covered(render_mesh(mesh, width=90, height=90, view=View(0, 0, up="y")))
    assert flat[:40].sum() == 0


@pytest.mark.parametrize("view", [View(), View(77, -40), View(200, 90, up="y")])
def test_axes_are_a_right_handed_frame(view: View) -> None:
    assert np.abs(view.axes @ view.axes.T - np.eye(3)).max() < 1e-15
    assert np.linalg.det(view.axes) == pytest.approx(1)


@pytest.mark.parametrize(("width", "height"), [(40, 90), (90, 40)])
def test_the_whole_object_fits_any_picture(width: int, height: int) -> None:
    mesh = box((0, 0, 0), (1, 3, 7))
    touched = covered(render_mesh(mesh, width=width, height=height, view=View(30, 20)))
    assert touched.sum() > 100
    assert not touched[[0, -1]].any()
    assert not touched[:, [0, -1]].any()


def test_a_shared_view_keeps_sizes_comparable() -> None:
    view = FRONT.framing(BALL)
    half = sphere(0.5, (3.0, -2.0, 5.0), subdivisions=5)
    areas = [
        covered(render_mesh(mesh, width=120, height=120, view=view)).sum() for mesh in (BALL, half)
    ]
    assert areas[1] / areas[0] == pytest.approx(0.25, rel=0.03)


def test_edges_stay_sharp_and_round_things_smooth() -> None:
    cube = covered_colors(box(), View(azimuth=45, elevation=0))
    left, right = cube[20:40, 15:28], cube[20:40, 33:45]
    # Each side is one flat tone, and the two differ.
    assert left.mean() > right.mean() + 8
    assert np.median(np.abs(np.diff(left.mean(axis=0)))) < 2
    coarse = sphere(1.0, subdivisions=2)
    smooth, flat = (
        render_mesh(coarse, width=60, height=60, view=FRONT, crease_degrees=crease).astype(float)
        for crease in (40.0, 0.0)
    )
    middle = (slice(20, 40), slice(20, 40))
    bends = [np.abs(np.diff(p.mean(axis=2)[middle], n=2, axis=0)).mean() for p in (smooth, flat)]
    assert bends[0] < 0.7 * bends[1]


def covered_colors(mesh: TriangleMesh, view: View) -> np.ndarray:
    return render_mesh(mesh, width=60, height=60, view=view).mean(axis=2)


def test_vertex_colors_reach_the_picture() -> None:
    red = np.tile([0.9, 0.1, 0.1], (len(BALL.vertices), 1))
    picture = render_mesh(BALL, width=40, height=40, view=FRONT, colors=red)
    r, g, b = picture[20, 20].tolist()
    assert r > 2 * g
    assert g == pytest.approx(b, abs=8)


def test_the_floor_is_darkened_only_on_request() -> None:
    view = View(azimuth=30, elevation=25)
    plain, shaded = (
        render_mesh(box(), width=60, height=60, view=view, ground_shadow=shadow).astype(int)
        for shadow in (False, True)
    )
    outside = covered(plain) == 0
    assert (plain[outside] == PAPER).all()
    assert (shaded[outside].min(axis=1) < PAPER - 20).sum() > 30


def test_a_picture_is_the_same_every_time_and_inputs_stay() -> None:
    before = BALL.vertices.copy()
    first, again = (render_mesh(BALL, width=50, height=70, view=FRONT) for _ in range(2))
    assert np.array_equal(first, again)
    assert np.array_equal(BALL.vertices, before)


def test_a_shadow_has_no_grain_and_keeps_to_its_surface() -> None:
    # A plate in front of a wall shades a part of it, with soft edges. The plate itself is lit.
    wall = box((-2, 0, -2), (2, 0.1, 2))
    plate = box((-0.5, -0.9, -0.5), (0.5, -0.8, 0.5))
    picture = render_mesh(joined(wall, plate), width=200, height=200, view=FRONT).mean(axis=2)
    lit = picture[10:40, 20:60]
    assert np.ptp(lit) <= 1
    on_plate = picture[80:120, 80:120]
    assert np.ptp(on_plate) <= 1
    shadow = picture[126:180, 104:180]
    assert lit.mean() - shadow.min() > 40
    for axis in (0, 1):
        assert np.abs(np.diff(shadow, n=2, axis=axis)).max() <= 5


def test_a_mesh_without_faces_is_background_in_a_framed_view() -> None:
    empty = TriangleMesh(np.zeros((0, 3)), np.zeros((0, 3), dtype=int))
    picture = render_mesh(empty, width=5, height=4, view=FRONT.framing(BALL))
    assert picture.shape == (4, 5, 3)
    assert (picture == PAPER).all()
    with pytest.raises(MetricError, match="without faces"):
        render_mesh(empty, width=5, height=4)


def test_a_transparent_picture_over_paper_is_the_picture() -> None:
    plain = render_mesh(BALL, width=60, height=60, view=FRONT).astype(float)
    clear = render_mesh(BALL, width=60, height=60, view=FRONT, transparent=True)
    assert clear.shape == (60, 60, 4)
    alpha = clear[..., 3:] / 255
    assert alpha[30, 30] == 1.0
    assert alpha[0, 0] == 0.0
    # Colors are mixed in linear light; inside and outside nothing is mixed.
    whole = (alpha == 1) | (alpha == 0)
    over = alpha * clear[..., :3] + (1 - alpha) * PAPER
    assert np.abs(over - plain)[np.broadcast_to(whole, over.shape)].max() <= 1
    linear = [((image / 255) ** 2.2) for image in (clear[..., :3], plain)]
    mixed = alpha * linear[0] + (1 - alpha) * (PAPER / 255) ** 2.2
    assert np.abs(mixed - linear[1]).max() < 0.03
    empty = TriangleMesh(np.zeros((0, 3)), np.zeros((0, 3), dtype=int))
    nothing = render_mesh(empty, width=5, height=4, view=FRONT.framing(BALL), transparent=True)
    assert not nothing.any()
    assert nothing.shape == (4, 5, 4)


def test_bad_requests_are_refused() -> None:
    with pytest.raises(MetricError, match="no floor"):
        render_mesh(BALL, width=4, height=4, transparent=True, ground_shadow=True)
    with pytest.raises(MetricError, match="must be >= 1"):
        render_mesh(BALL, width=0, height=4)
    with pytest.raises(MetricError, match="colors must have shape"):
        render_mesh(BALL, width=4, height=4, colors=np.ones((2, 3)))
    with pytest.raises(MetricError, match="elevation must lie"):
        View(elevation=91)
    with pytest.raises(MetricError, match="up must be y or z"):
        View(up="x")  # type: ignore[arg-type]


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "embreex", None)
    with pytest.raises(BackendUnavailable, match=r"geom_miner\[eval\]"):
        render_mesh(BALL, width=4, height=4)
