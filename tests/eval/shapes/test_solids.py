"""Solids with exact edges against their volumes in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest

from eval.shapes.solids import (
    Inset,
    circle,
    gear_outline,
    lathe,
    moved,
    prism,
    rounded_rectangle,
    subdivided,
    tube,
)


def polygon_area(radius: float, corners: int) -> float:
    return 0.5 * corners * radius**2 * math.sin(2 * math.pi / corners)


def euler(mesh) -> int:
    edges = np.sort(np.stack([mesh.faces, np.roll(mesh.faces, -1, axis=1)], axis=2), axis=2)
    return len(mesh.vertices) - len(np.unique(edges.reshape(-1, 2), axis=0)) + len(mesh.faces)


def test_prism_with_holes_bosses_and_recesses() -> None:
    plate = subdivided(np.array([[0.0, 0], [4, 0], [4, 2], [0, 2]]), 0.1)
    insets = (
        Inset(circle(0.4, 40, (1.0, 1.0)), (-0.2, 0.8)),  # a boss on both sides
        Inset(circle(0.2, 30, (1.0, 1.0)), None),  # bored through
        Inset(circle(0.5, 50, (3.0, 1.0)), (0.1, 0.4)),  # a recess from both sides
    )
    solid = prism(plate, (0.0, 0.5), insets)
    boss, bore, recess = polygon_area(0.4, 40), polygon_area(0.2, 30), polygon_area(0.5, 50)
    assert solid.volume == pytest.approx(
        (8 - boss - recess) * 0.5 + (boss - bore) * 1.0 + recess * 0.3
    )
    assert euler(solid) == 0  # one handle


def test_lathe_with_poles_is_a_cone() -> None:
    cone = lathe(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 3.0]]), 50)
    assert cone.volume == pytest.approx(polygon_area(1.0, 50))
    assert euler(cone) == 2


def test_lathe_without_poles_is_a_ring() -> None:
    ring = lathe(np.array([[1.0, 0.0], [2.0, 0.0], [2.0, 0.5], [1.0, 0.5]]), 64)
    assert ring.volume == pytest.approx(0.5 * (polygon_area(2.0, 64) - polygon_area(1.0, 64)))
    assert euler(ring) == 0


def test_straight_tube() -> None:
    path = np.stack([np.zeros(9), np.zeros(9), np.linspace(0, 2, 9)], axis=1)
    pipe = tube(path, outer=0.5, inner=0.4, segments=32)
    assert pipe.volume == pytest.approx(2 * (polygon_area(0.5, 32) - polygon_area(0.4, 32)))


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_moving_keeps_volume_and_orientation(axis: str) -> None:
    solid = prism(rounded_rectangle(2, 1, 0.2, step=0.1), (0.0, 3.0))
    placed = moved(solid, axis=axis, turn=20, tilt=30, to=(1, 2, 3))
    assert placed.volume == pytest.approx(solid.volume)
    along = moved(solid, axis=axis)
    low, high = along.bounds
    assert (high - low)["xyz".index(axis)] == pytest.approx(3.0)


def test_gears_of_one_module_mesh_with_clearance() -> None:
    # Two gears, one rotated so that its teeth face gaps, at the distance of their pitch circles.
    first = gear_outline(18, 0.36)
    second = gear_outline(27, 0.54)
    angle = math.pi + math.pi / 27
    rotated = second @ np.array(
        [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]
    ) + np.array([0.9, 0.0])
    gaps = np.linalg.norm(first[:, None] - rotated[None], axis=2).min(axis=1)
    assert 0.0005 < gaps.min() < 0.04  # apart, but engaged: less than one module


def test_outline_too_coarse_for_its_gap_is_refused() -> None:
    box = np.array([[0.0, 0], [10, 0], [10, 4], [0, 4]])
    slot = np.array([[1.0, 1], [9, 1], [9, 1.02], [1, 1.02]])
    hole = Inset(circle(0.25, 40, (5.0, 1.3)), None)
    with pytest.raises(ValueError, match="more corners"):
        prism(box, (0.0, 1.0), (Inset(slot, None), hole))
    prism(box, (0.0, 1.0), (Inset(subdivided(slot, 0.02), None), hole))
