"""A procedural engine: a V-twin of many closed bodies with sharp edges and small gaps.

The shaft runs along y, the front faces -y, z is up; the longest side is about six units. No body
touches another: the clearance between neighbors is at least 0.004 units.
"""

from __future__ import annotations

import numpy as np

from eval.shapes.solids import (
    Floats,
    Inset,
    circle,
    gear_outline,
    lathe,
    moved,
    prism,
    rounded_rectangle,
    subdivided,
    together,
    tube,
)
from geom_miner import TriangleMesh

_SHAFT_HEIGHT = 1.0  # height of the crankshaft's axis, which both cylinder axes intersect
_CLEARANCE = 0.005
_TILTS = (-45.0, 45.0)  # of the two cylinders, degrees
_GEAR_MODULE = 0.04


def procedural_engine() -> TriangleMesh:
    """One mesh of all bodies; the same triangles on every call."""
    return together(engine_bodies())


def engine_bodies() -> list[TriangleMesh]:
    """The separate bodies: each is closed, oriented outward, and touches no other."""
    return [
        *_base(),
        _crankcase(),
        *_covers(),
        _crankshaft(),
        *_timing_gears(),
        _flywheel(),
        *_intake(),
        *(part for tilt in _TILTS for part in _cylinder(tilt)),
        *_exhausts(),
    ]


def _bolt(head: float, shank: float, depth: float) -> TriangleMesh:
    """A hexagon bolt, head resting just above z = 0, shank reaching down to -depth."""
    top = _CLEARANCE + 0.8 * head
    socket = circle(0.5 * head, 24)
    return prism(
        subdivided(circle(head, 6), 0.1 * head),
        (_CLEARANCE, top),
        (
            Inset(circle(shank, 32), (-depth, top)),
            Inset(socket, (-depth, top - 0.3 * head))
            if 0.5 * head < 0.9 * shank
            else _dimple(shank, depth, top),
        ),
    )


def _dimple(shank: float, depth: float, top: float) -> Inset:
    return Inset(circle(0.7 * shank, 24), (-depth, 0.9 * top))


def _base() -> list[TriangleMesh]:
    spots = [(x, y) for x in (-1.4, -0.47, 0.47, 1.4) for y in (-1.3, 1.3)]
    spots += [(x, y) for x in (-1.4, 1.4) for y in (-0.43, 0.43)]
    insets = []
    for spot in spots:
        insets += [Inset(circle(0.2, 64, spot), (0.0, 0.19)), Inset(circle(0.09, 40, spot), None)]
    plate = prism(rounded_rectangle(3.4, 3.2, 0.3, step=0.05), (0.0, 0.155), tuple(insets))
    bolt = _bolt(0.15, 0.082, 0.16)
    return [plate, *(moved(bolt, to=(x, y, 0.19)) for x, y in spots)]


def _crankcase() -> TriangleMesh:
    corners = [(-0.95, 0.16), (0.95, 0.16), (1.08, 0.55), (1.0, 1.13), (0.13, 2.0)]
    corners += [(-0.13, 2.0), (-1.0, 1.13), (-1.08, 0.55)]
    outline = subdivided(np.array(corners), 0.03)
    holes = tuple(
        Inset(circle(0.036, 24, spot), None) for spot in _on_circle(0.7, 12, _SHAFT_HEIGHT)
    )
    hollow = Inset(circle(0.6, 192, (0.0, _SHAFT_HEIGHT)), None)
    return moved(prism(outline, (-0.75, 0.75), (hollow, *holes)), axis="y")


def _covers() -> list[TriangleMesh]:
    """Both lids of the crankcase with their bolts; the front one by turning the rear one."""
    holes = tuple(Inset(circle(0.036, 24, spot), None) for spot in _on_circle(0.7, 12, 0.0))
    insets = (
        Inset(circle(0.58, 160), (0.755, 0.82)),
        Inset(circle(0.34, 128), (0.755, 0.93)),
        Inset(circle(0.21, 96), None),
        *holes,
    )
    lid = prism(circle(0.77, 256), (0.755, 0.86), insets)
    bolt = _bolt(0.055, 0.03, 0.25)
    rear = [lid, *(moved(bolt, to=(x, y, 0.86)) for x, y in _on_circle(0.7, 12, 0.0))]
    placed = [moved(part, axis="y") for part in rear]
    placed += [moved(part, turn=180.0) for part in placed]
    return [moved(part, to=(0.0, 0.0, _SHAFT_HEIGHT)) for part in placed]


def _crankshaft() -> TriangleMesh:
    profile = [(0.0, -1.5), (0.12, -1.5), (0.14, -1.48), (0.14, -1.3), (0.2, -1.3), (0.2, -0.5)]
    profile += [(0.5, -0.5), (0.52, -0.48), (0.52, -0.22), (0.5, -0.2), (0.26, -0.2)]
    profile += [(0.26, 0.2), (0.5, 0.2), (0.52, 0.22), (0.52, 0.48), (0.5, 0.5), (0.2, 0.5)]
    profile += [(0.2, 1.4), (0.12, 1.44), (0.0, 1.44)]
    return moved(lathe(np.array(profile), 128), axis="y", to=(0.0, 0.0, _SHAFT_HEIGHT))


def _timing_gears() -> list[TriangleMesh]:
    """Three gears in mesh in front of the front cover, and the pins of the outer two."""
    crank = np.array([0.0, _SHAFT_HEIGHT])
    parts = [_placed_gear(18, 0.21, crank, 90.0)]
    for teeth, direction in ((27, 90.0), (15, -32.0), (15, 212.0)):
        distance = 0.5 * _GEAR_MODULE * (18 + teeth)
        angle = np.radians(direction)
        center = crank + distance * np.array([np.cos(angle), np.sin(angle)])
        # If the crank gear is a share f of its pitch past a tooth, its partner is 1/2 - f past one.
        pitch_share = (direction - 90.0) / (360.0 / 18)
        turn = direction + 180.0 - (0.5 - pitch_share) * (360.0 / teeth)
        parts.append(_placed_gear(teeth, 0.08, center, turn))
        pin = [(0.0, -1.3), (0.1, -1.3), (0.11, -1.29), (0.11, -1.22), (0.07, -1.22)]
        pin += [(0.07, -0.98), (0.07, -0.98 + 0.04), (0.0, -0.98 + 0.04)]
        parts.append(moved(lathe(np.array(pin), 64), axis="y", to=(-center[0], 0.0, center[1])))
    return parts


def _placed_gear(teeth: int, bore: float, center: Floats, turn: float) -> TriangleMesh:
    pitch = 0.5 * _GEAR_MODULE * teeth
    root = pitch - 1.05 * _GEAR_MODULE
    rim, hub = root - 0.035, bore + 0.045
    insets = [
        Inset(circle(rim, 128), (-1.11, -1.07)),
        Inset(circle(hub, 72), (-1.18, -1.0)),
        Inset(circle(bore, 64), None),
    ]
    if rim - hub > 0.1:
        middle, radius = 0.5 * (rim + hub), 0.32 * (rim - hub)
        insets += [Inset(circle(radius, 40, spot), None) for spot in _on_circle(middle, 6, 0.0)]
    gear = prism(gear_outline(teeth, pitch), (-1.16, -1.02), tuple(insets))
    return moved(gear, turn=turn, axis="y", to=(-center[0], 0.0, center[1]))


def _flywheel() -> TriangleMesh:
    insets = [
        Inset(circle(0.66, 256), (1.06, 1.14)),
        Inset(circle(0.32, 128), (0.98, 1.26)),
        Inset(circle(0.21, 96), None),
        *(Inset(circle(0.12, 64, spot), None) for spot in _on_circle(0.49, 8, 0.0)),
    ]
    wheel = prism(gear_outline(96, 0.76, per_tooth=16), (1.0, 1.22), tuple(insets))
    return moved(wheel, axis="y", to=(0.0, 0.0, _SHAFT_HEIGHT))


def _intake() -> list[TriangleMesh]:
    """The funnel between the cylinders and the pleated filter with its lid above it."""
    height = np.linspace(0.0, 1.0, 40)
    radius = 0.11 + 0.11 * height**3
    outer = np.stack([radius + 0.02, 2.1 + 0.6 * height], axis=1)
    inner = np.stack([radius, 2.1 + 0.6 * height], axis=1)[::-1]
    foot = np.array([(0.2, 2.01), (0.2, 2.06), (0.13, 2.06)])
    funnel = lathe(np.concatenate([np.array([(0.11, 2.01)]), foot, outer, inner]), 96)
    pleats = 48
    angle = 2.0 * np.pi * np.arange(16 * pleats) / (16 * pleats)
    radius = 0.44 + 0.04 * np.abs((np.arange(16 * pleats) / 8.0) % 2.0 - 1.0)
    outline = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    hole = Inset(circle(0.3, 128), None)
    paper = prism(outline, (2.76, 3.02), (hole,))
    tray = prism(circle(0.5, 192), (2.71, 2.755), (Inset(circle(0.2, 96), None),))
    lid = [(0.0, 3.025), (0.5, 3.025), (0.5, 3.07), (0.47, 3.1), (0.12, 3.13), (0.1, 3.2)]
    lid += [(0.0, 3.2)]
    return [funnel, tray, paper, lathe(np.array(lid), 192)]


def _cylinder(tilt: float) -> list[TriangleMesh]:
    """Barrel, piston, head, plug and bolts along one cylinder axis."""
    barrel = [(0.3, 0.81), (0.52, 0.81), (0.52, 0.88), (0.4, 0.88)]
    barrel += [corner for k in range(8) for corner in _fin(0.4, 0.6, 0.95 + 0.11 * k)]
    barrel += [(0.4, 1.85), (0.3, 1.85)]
    piston = [(0.24, 1.2), (0.29, 1.2)]
    for k in range(3):
        z = 1.42 + 0.06 * k
        piston += [(0.29, z), (0.265, z), (0.265, z + 0.025), (0.29, z + 0.025)]
    piston += [(0.29, 1.62), (0.27, 1.64), (0.0, 1.66), (0.0, 1.55), (0.24, 1.5)]
    head = [(0.07, 1.98), (0.16, 1.96), (0.26, 1.9), (0.28, 1.855), (0.52, 1.855), (0.52, 1.91)]
    head += [(0.42, 1.91)]
    head += [
        corner
        for k in range(6)
        for corner in _fin(0.42 - 0.02 * k, 0.6 - 0.035 * k, 1.96 + 0.1 * k)
    ]
    head += [(0.3, 2.54), (0.22, 2.6), (0.15, 2.6), (0.15, 2.4), (0.07, 2.4)]
    plug = [(0.0, 2.0), (0.05, 2.0), (0.055, 2.02), (0.055, 2.41), (0.12, 2.41), (0.12, 2.62)]
    plug += [corner for k in range(5) for corner in _fin(0.07, 0.085, 2.66 + 0.05 * k, 0.02)]
    plug += [(0.06, 2.93), (0.03, 2.94), (0.03, 3.0), (0.0, 3.0)]
    parts = [
        lathe(np.array(barrel), 224),
        lathe(np.array(piston), 128),
        lathe(np.array(head), 224),
        lathe(np.array(plug), 96),
        prism(subdivided(circle(0.17, 6), 0.02), (2.605, 2.655), (Inset(circle(0.13, 64), None),)),
    ]
    return [moved(part, tilt=tilt, to=(0.0, 0.0, _SHAFT_HEIGHT)) for part in parts]


def _fin(
    inner: float, outer: float, z: float, thickness: float = 0.045
) -> list[tuple[float, float]]:
    """Corners of one cooling fin with a chamfered edge, going up."""
    chamfer = 0.2 * thickness
    return [
        (inner, z),
        (outer - chamfer, z + 0.1 * thickness),
        (outer, z + 0.1 * thickness + chamfer),
        (outer, z + 0.9 * thickness - chamfer),
        (outer - chamfer, z + 0.9 * thickness),
        (inner, z + thickness),
    ]


def _exhausts() -> list[TriangleMesh]:
    """Pipes from the outer side of each head, down and away; the left by turning the right."""
    heading = np.radians(
        np.concatenate([np.full(8, -45.0), np.linspace(-45, -90, 24), np.full(36, -90.0)])
    )
    heading = np.concatenate([heading, np.radians(np.linspace(-90, -30, 30)), [np.radians(-30)]])
    steps = 0.02 * np.stack([np.cos(heading), np.zeros_like(heading), np.sin(heading)], axis=1)
    path = np.array([2.03, 0.0, 2.09]) + np.cumsum(steps, axis=0)
    pipe = tube(path, outer=0.15, inner=0.125, segments=64)
    ring = [(0.155, 0.0), (0.2, 0.0), (0.2, 0.05), (0.155, 0.05)]
    clamp = moved(lathe(np.array(ring), 96), tilt=180.0, to=tuple(path[50]))
    right = [pipe, clamp]
    return [*right, *(moved(part, turn=180.0) for part in right)]


def _on_circle(radius: float, count: int, height: float) -> list[tuple[float, float]]:
    return [(float(x), float(y) + height) for x, y in circle(radius, count)]
