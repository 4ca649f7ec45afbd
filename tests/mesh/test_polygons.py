"""Polygons become triangles that fill them: areas, shared edges, and polygons that are hostile."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geom_miner.errors import MeshError
from geom_miner.mesh.diagnosis import diagnose
from geom_miner.mesh.formats.assembly import Polygons, mesh_of
from geom_miner.mesh.triangle_mesh import TriangleMesh

SOMEWHERE = Path("somewhere.obj")
# Turned so that no axis of the plane is an axis of space.
TURN = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]


def in_space(outline: list[tuple[float, float]] | np.ndarray) -> np.ndarray:
    return np.pad(np.asarray(outline, np.float64), ((0, 0), (0, 1)))


def shoelace(outline: np.ndarray) -> float:
    x, y = np.asarray(outline, np.float64)[:, :2].T
    return float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2)


def cut(outline: np.ndarray) -> TriangleMesh:
    lengths = np.array([len(outline)])
    return mesh_of(SOMEWHERE, outline, Polygons(np.arange(len(outline)), lengths))


def prism(outline: np.ndarray, height: float = 1.0) -> TriangleMesh:
    """A solid with a polygon as its bottom and its top."""
    n = len(outline)
    vertices = np.concatenate([outline, outline + np.array([0, 0, height])])
    k = np.arange(n)
    sides = np.stack([k, (k + 1) % n, (k + 1) % n + n, k + n], axis=1)
    corners = np.concatenate([k[::-1], k + n, sides.reshape(-1)])
    lengths = np.array([n, n, *[4] * n])
    return mesh_of(SOMEWHERE, vertices, Polygons(corners, lengths))


COMB = [(-1.0, 0.0), (12.0, 0.0)]
for tooth in range(12, 0, -2):
    COMB += [(tooth, 3.0), (tooth - 1, 3.0), (tooth - 1, 0.5), (tooth - 2, 0.5)]
OUTLINES = {
    "arrow": [(0, 0), (2, -1), (0.5, 0), (2, 1)],
    "arrow from its notch": [(0.5, 0), (2, 1), (0, 0), (2, -1)],
    "comb": COMB,
    "flat corners": [(0, 0), (1, 0), (2, 0), (2, 1), (2, 2), (1, 2), (0, 2), (0, 1)],
    "first corner flat": [(1, 0), (2, 0), (2, 2), (0, 2), (0, 0)],
    "stairs": [(0, 0), (4, 0), (4, 1), (3, 1), (3, 2), (2, 2), (2, 3), (1, 3), (1, 4), (0, 4)],
    "spiral": [(0, 0), (9, 0), (9, 9), (2, 9), (2, 4), (5, 4), (5, 6), (4, 6), (4, 5), (3, 5),
               (3, 8), (8, 8), (8, 1), (0, 1)],
    "hole with a bridge": [(0, 0), (6, 0), (6, 6), (0, 6), (0, 0), (2, 2), (2, 4), (4, 4), (4, 2),
                           (2, 2)],
}  # fmt: skip


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("name", OUTLINES)
def test_triangles_fill_a_simple_polygon(name: str, turned: bool) -> None:
    outline = in_space(OUTLINES[name])
    for shift in range(len(outline)):
        corners = np.roll(outline, shift, axis=0)
        mesh = cut(corners @ TURN if turned else corners)
        assert len(mesh.faces) == len(outline) - 2
        # Areas are never negative, so their sum exceeds that of the polygon if triangles overlap.
        assert mesh.area == pytest.approx(abs(shoelace(outline)), rel=1e-12)
        assert mesh.notes == ()


def test_faces_keep_their_side() -> None:
    """A prism is closed and has its volume, whichever way its polygons are cut."""
    for name in ("arrow", "comb", "flat corners", "stairs", "spiral"):
        outline = in_space(OUTLINES[name])
        mesh = prism(outline, 2.0)
        assert mesh.volume == pytest.approx(2 * shoelace(outline), rel=1e-12), name
        diagnosis = diagnose(mesh)
        assert diagnosis.watertight, name
        assert diagnosis.degenerate_faces == 0, name


@given(count=st.integers(4, 60), seed=st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_triangles_fill_any_star(count: int, seed: int) -> None:
    """Corners around a center at random distances make a simple polygon, mostly a concave one."""
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.random(count)) * 2 * np.pi
    radii = rng.uniform(0.1, 1, count)
    outline = in_space(np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii[:, None])
    if np.diff(angles, append=angles[0] + 2 * np.pi).max() >= np.pi:
        return  # The center lies outside, and the polygon may cross itself.
    mesh = cut(outline @ TURN + 100)
    assert mesh.area == pytest.approx(shoelace(outline), rel=1e-9)
    assert mesh.notes == ()


def test_convex_polygons_become_fans() -> None:
    angles = np.arange(7) * 2 * np.pi / 7
    mesh = cut(in_space(np.stack([np.cos(angles), np.sin(angles)], axis=1)) @ TURN)
    np.testing.assert_array_equal(mesh.faces, [(0, k, k + 1) for k in range(1, 6)])


def test_polygons_of_all_sizes_keep_their_order() -> None:
    vertices = in_space([(0, 0), (2, -1), (0.5, 0), (2, 1), (3, 0)])
    corners = np.array([0, 1, 2, 0, 1, 2, 3, 4, 3, 0, 1, 4, 3])
    mesh = mesh_of(SOMEWHERE, vertices, Polygons(corners, np.array([3, 4, 2, 4])))
    assert mesh.notes == ("1 face(s) of fewer than three corners were left out.",)
    np.testing.assert_array_equal(mesh.faces, [*[(0, 1, 2)] * 2, (2, 3, 0), (0, 1, 4), (0, 4, 3)])


@pytest.mark.parametrize(
    "outline",
    [
        [(0, 0), (2, 2), (2, 0), (0, 1)],
        [(np.cos(4 * np.pi * k / 5), np.sin(4 * np.pi * k / 5)) for k in range(5)],
    ],
    ids=["bow tie", "pentagram"],
)
def test_a_polygon_that_crosses_itself_is_said(outline: list[tuple[float, float]]) -> None:
    mesh = cut(in_space(outline))
    assert len(mesh.faces) == len(outline) - 2
    assert mesh.notes == (
        "1 polygon(s) cross themselves or are too intricate, so that their triangles are a guess.",
    )


@pytest.mark.parametrize(
    "degenerate", ["one position", "a line", "equal neighbors", "infinite", "vast", "overflow"]
)
def test_degenerate_polygons_end(degenerate: str) -> None:
    outline = np.zeros((6, 3))
    if degenerate == "a line":
        outline[:, 0] = [0, 3, 1, 5, 2, 4]
    elif degenerate == "equal neighbors":
        outline[:, :2] = [(0, 0), (1, 0), (1, 0), (1, 1), (1, 1), (0, 1)]
    elif degenerate == "overflow":
        outline[:, :2] = 1e200 * np.array([(0, 0), (1, 0), (1, 1), (0.5, 0.2), (0, 1), (0, 0.5)])
    elif degenerate == "vast":
        outline[:, :2] = [(-1e308, 0), (1e308, 0), (1e308, 3), (0, 1), (-1e308, 3), (-1e308, 1)]
    elif degenerate == "infinite":
        outline[2] = np.inf
        with pytest.raises(MeshError, match="infinity"):
            cut(outline)
        return
    assert len(cut(outline).faces) == 4


@pytest.mark.parametrize("shape", ["comb", "zigzag", "noise"])
def test_huge_polygons_take_time_in_proportion(shape: str) -> None:
    n = 100_000 if shape == "noise" else 5_000
    k = np.arange(n)
    outline = {
        "comb": np.stack([k, np.where(k % 4 < 2, 0.0, 1.0)], axis=1),
        "zigzag": np.stack([k, k % 2], axis=1),
        "noise": np.random.default_rng(0).random((n, 2)),
    }[shape].astype(np.float64)
    if shape != "noise":
        outline = np.concatenate([outline[::-1], [(-1.0, -5.0), (n, -5.0)]])
    cut(in_space(outline[:100]))  # compiles
    start = time.process_time()
    mesh = cut(in_space(outline))
    # A comparison of all corners with all ears would take minutes.
    assert time.process_time() - start < 10
    assert len(mesh.faces) == len(outline) - 2
    if shape != "noise":
        assert mesh.area == pytest.approx(abs(shoelace(outline)), rel=1e-9)
    assert bool(mesh.notes) == (shape == "noise")
