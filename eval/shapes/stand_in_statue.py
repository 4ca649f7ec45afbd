"""A procedural statue: a draped figure with a raised orb on a fluted pedestal.

The figure faces -y, z is up, the height is about 2.2 units. Folds and hair are displacements of
smooth solids, so the surface has detail at all scales down to the spacing of the samples.
"""

from __future__ import annotations

import numpy as np

from eval.shapes.implicit_canvas import Canvas, Field
from geom_miner import TriangleMesh

SPACING = 0.006  # spacing of the samples; gives more than 400,000 faces


def procedural_statue(spacing: float = SPACING) -> TriangleMesh:
    """One closed mesh; the same triangles on every call."""
    canvas = Canvas((-0.5, -0.5, -0.03), (0.5, 0.5, 2.18), spacing)
    _gown(canvas)
    _torso(canvas)
    _raised_arm(canvas)
    _bent_arm(canvas)
    _mantle(canvas)
    _head(canvas)
    _hair(canvas)
    _pedestal(canvas)
    return canvas.mesh()


def _folds(angle: Field, count: int, drift: Field) -> Field:
    """Height of the folds of cloth: 0 in the sharp valleys, 1 on the round ridges."""
    wander = angle + np.float32(0.22) * np.sin(2 * angle + 3 * drift) + np.float32(0.3) * drift
    fine = np.abs(np.sin(0.5 * count * wander))
    broad = 0.5 + 0.5 * np.cos(3 * wander + 4 * drift)
    return fine * (0.55 + 0.45 * broad)


def _gown(canvas: Canvas) -> None:
    def solid(x: Field, y: Field, z: Field) -> Field:
        t = np.clip((z - 0.5) / 0.7, 0, 1)
        x = x - 0.02 * np.sin(3 * t)
        wide = 0.118 + 0.13 * (1 - t) ** 1.4 + 0.035 * np.exp(-(((t - 0.72) / 0.18) ** 2))
        hem = np.exp(-t / 0.05) * 0.02
        radius = np.sqrt(x**2 + (y * (1.12 + 0.12 * t)) ** 2)
        angle = np.arctan2(y, x)
        fold = _folds(angle, 22, t) * (0.006 + 0.04 * (1 - t) ** 0.8)
        side = 0.75 * (radius - (wide + hem + fold - 0.018 * (1 - t)))
        return np.maximum(side, np.maximum(z - 1.22, 0.53 - z))

    canvas.merge(solid, (-0.34, -0.32, 0.53), (0.34, 0.32, 1.22))
    knee = [(0.075, -0.02, 1.1), (0.085, -0.165, 0.88), (0.09, -0.13, 0.6)]
    canvas.chain(knee, [0.085, 0.062, 0.05], blend=0.07)
    for side, ahead in ((0.095, -0.25), (-0.09, -0.215)):
        canvas.ellipsoid((side, ahead, 0.545), (0.038, 0.075, 0.03), blend=0.01)
        for toe in range(5):
            spot = (side + 0.0135 * (toe - 2), ahead - 0.068 + 0.004 * abs(toe - 1), 0.537)
            canvas.ellipsoid(spot, (0.008, 0.017, 0.012), blend=0.004)


def _torso(canvas: Canvas) -> None:
    canvas.ellipsoid((0.0, 0.0, 1.22), (0.122, 0.095, 0.15), blend=0.05)
    canvas.ellipsoid((0.0, 0.0, 1.4), (0.145, 0.1, 0.145), blend=0.05)
    canvas.limb((-0.13, 0.01, 1.5), (0.13, 0.01, 1.51), 0.055, 0.055, blend=0.05)
    for side in (-1, 1):
        canvas.ellipsoid((0.065 * side, -0.08, 1.4), (0.055, 0.045, 0.055), blend=0.035)
    canvas.limb((0.0, 0.015, 1.52), (0.0, -0.012, 1.66), 0.055, 0.046, blend=0.04)
    # A cord below the chest, a crossing band, and pleats that hang from them over the hips.
    canvas.ring((0.0, 0.0, 1.285), 0.112, 0.012, blend=0.006, tilt=0.05)
    canvas.ring((0.0, 0.0, 1.262), 0.112, 0.012, blend=0.006, tilt=-0.04)

    def pleats(x: Field, y: Field, z: Field) -> Field:
        t = np.clip((1.27 - z) / 0.3, 0, 1)
        angle = np.arctan2(y, x)
        edge = 1.27 - 0.17 - 0.07 * np.sin(angle + 2.2) - 0.02 * np.abs(np.sin(8 * angle))
        radius = np.sqrt(x**2 + (1.2 * y) ** 2)
        wide = 0.118 + 0.085 * t**0.8 + 0.02 * _folds(angle, 18, -t) * (0.3 + t)
        return np.maximum(0.7 * (radius - wide), np.maximum(0.6 * (edge - z), z - 1.27))

    canvas.merge(pleats, (-0.26, -0.23, 0.98), (0.26, 0.23, 1.27), blend=0.008)
    for k in range(9):
        turn = 0.35 + 0.3 * k
        x, y = 0.1 * np.cos(turn), -0.085 * np.sin(turn)
        canvas.limb(
            (1.15 * x, 1.15 * y, 1.3), (0.75 * x, 0.9 * y - 0.02, 1.5), 0.009, 0.007, blend=0.014
        )


def _raised_arm(canvas: Canvas) -> None:
    shoulder, elbow, wrist = (0.155, 0.01, 1.51), (0.31, -0.03, 1.63), (0.275, -0.09, 1.86)
    canvas.chain([shoulder, elbow, wrist], [0.052, 0.04, 0.026], blend=0.02)
    canvas.ellipsoid((0.272, -0.095, 1.905), (0.034, 0.026, 0.04), blend=0.02)
    orb, radius = np.array([0.268, -0.1, 2.01]), 0.075
    for k in range(5):
        turn = 2 * np.pi * k / 5 + 0.4
        out = np.array([np.cos(turn), np.sin(turn), 0.0])
        low = orb + 0.03 * out - [0, 0, 0.085]
        middle = orb + 0.068 * out - [0, 0, 0.055]
        tip = orb + 0.082 * out + [0, 0, 0.0]
        points = [(float(p[0]), float(p[1]), float(p[2])) for p in (low, middle, tip)]
        canvas.chain(points, [0.013, 0.012, 0.009], blend=0.006)
    canvas.ellipsoid((0.268, -0.1, 2.01), (radius, radius, radius))
    canvas.ring((0.268, -0.1, 2.01), 0.074, 0.007, tilt=0.3)
    canvas.limb((0.268, -0.1, 2.08), (0.268, -0.1, 2.12), 0.016, 0.008, blend=0.01)
    canvas.limb((0.268 - 0.022, -0.1, 2.105), (0.268 + 0.022, -0.1, 2.105), 0.008, 0.008)

    def sleeve(x: Field, y: Field, z: Field) -> Field:
        t = np.clip((x - 0.12) / 0.16, 0, 1)
        drop = z - (1.5 + 0.1 * t) + 0.05 * t
        angle = np.arctan2(drop, y + 0.02)
        radius = np.sqrt(((y + 0.01) * 1.15) ** 2 + (drop * (1 - 0.3 * t)) ** 2)
        wide = 0.062 + 0.03 * t + 0.014 * _folds(angle, 12, 2 * t)
        return np.maximum(0.6 * (radius - wide), np.maximum(0.1 - x, 0.8 * (x - 0.27)))

    canvas.merge(sleeve, (0.1, -0.14, 1.33), (0.28, 0.13, 1.72), blend=0.02)


def _bent_arm(canvas: Canvas) -> None:
    shoulder, elbow, wrist = (-0.155, 0.01, 1.5), (-0.245, 0.035, 1.27), (-0.13, -0.17, 1.235)
    canvas.chain([shoulder, elbow, wrist], [0.06, 0.046, 0.03], blend=0.025)
    canvas.ellipsoid((-0.105, -0.195, 1.235), (0.035, 0.03, 0.022), blend=0.015)
    for k in range(4):
        start = (-0.085 + 0.004 * k, -0.2 - 0.003 * k, 1.25 - 0.013 * k)
        end = (start[0] + 0.05, start[1] - 0.012, start[2] - 0.004)
        canvas.limb(start, end, 0.009, 0.007, blend=0.006)

    def tablet(x: Field, y: Field, z: Field) -> Field:
        u = 0.96 * (x + 0.055) + 0.28 * (z - 1.3)
        w = 0.96 * (z - 1.3) - 0.28 * (x + 0.055)
        line = 0.0025 * (np.abs(w) < 0.075) * (np.abs(u) < 0.05) * (np.sin(w * 300) > 0.2)
        v = y + 0.178 + 0.25 * w
        size = np.maximum(np.abs(u) - 0.07, np.abs(w) - 0.1)
        return np.maximum(size, np.abs(v) - 0.016 + line) * 0.9

    canvas.merge(tablet, (-0.18, -0.27, 1.16), (0.07, -0.1, 1.44))
    # The end of the mantle hangs over the forearm in heavy folds.
    for k in range(7):
        share = k / 6
        top = (-0.25 + 0.1 * share, 0.04 - 0.19 * share, 1.28)
        middle = (top[0] - 0.02, top[1] * 1.05, 1.08)
        end = (top[0] - 0.035 + 0.02 * share, top[1] * 1.1 - 0.01, 0.84 + 0.06 * np.cos(2.3 * k))
        canvas.chain([top, middle, end], [0.026, 0.032, 0.013 + 0.01 * (k % 2)], blend=0.02)


def _mantle(canvas: Canvas) -> None:
    def solid(x: Field, y: Field, z: Field) -> Field:
        t = np.clip((1.56 - z) / 0.95, 0, 1)
        angle = np.arctan2(y + 0.02, x)
        radius = np.sqrt((x * 0.95) ** 2 + ((y + 0.02) * 1.15) ** 2)
        wide = 0.13 + 0.16 * t**0.6 - 0.08 * np.exp(-t / 0.05)
        fold = (0.004 + 0.04 * t) * _folds(angle, 20, 0.8 - t)
        sheet = np.abs(radius - wide - fold) - (0.022 + 0.01 * t)
        opening = 0.03 + 0.1 * t * np.sin(7 * t + 3 * x) - y
        return np.maximum(0.65 * sheet, np.maximum(0.7 * opening, np.maximum(0.6 - z, z - 1.56)))

    canvas.merge(solid, (-0.38, -0.08, 0.6), (0.38, 0.36, 1.56), blend=0.02)
    canvas.ellipsoid((0.12, -0.06, 1.515), (0.028, 0.018, 0.028), blend=0.004)


def _head(canvas: Canvas) -> None:
    canvas.ellipsoid((0.0, -0.02, 1.76), (0.073, 0.088, 0.098), blend=0.02)
    canvas.ellipsoid((0.0, -0.06, 1.7), (0.048, 0.045, 0.05), blend=0.03)
    canvas.ellipsoid((0.0, -0.097, 1.668), (0.018, 0.014, 0.015), blend=0.02)
    canvas.limb((0.0, -0.101, 1.778), (0.0, -0.122, 1.728), 0.008, 0.0125, blend=0.012)
    for side in (-1, 1):
        canvas.limb(
            (0.012 * side, -0.104, 1.779), (0.05 * side, -0.084, 1.777), 0.007, 0.006, blend=0.012
        )
        canvas.ellipsoid((0.029 * side, -0.093, 1.758), (0.013, 0.009, 0.008), blend=0.003)
        canvas.ellipsoid((0.012 * side, -0.113, 1.727), (0.008, 0.008, 0.007), blend=0.006)
        canvas.ellipsoid((0.037 * side, -0.075, 1.72), (0.025, 0.022, 0.028), blend=0.025)
    canvas.ellipsoid((0.0, -0.105, 1.702), (0.02, 0.01, 0.0055), blend=0.005)
    canvas.ellipsoid((0.0, -0.103, 1.691), (0.016, 0.01, 0.006), blend=0.005)


def _hair(canvas: Canvas) -> None:
    def cap(x: Field, y: Field, z: Field) -> Field:
        u, v, w = x / 0.09, (y - 0.012) / 0.1, (z - 1.782) / 0.105
        size = np.sqrt(u * u + v * v + w * w)
        strand = np.abs(np.sin(14 * np.arctan2(x, z - 1.72) + 6 * np.sin(18 * y)))
        face = -(y + 0.045) - 0.45 * (z - 1.79)
        return np.maximum(0.085 * (size - 1) - 0.007 * strand, 0.8 * face)

    canvas.merge(cap, (-0.11, -0.12, 1.66), (0.11, 0.13, 1.9), blend=0.006)

    def bun(x: Field, y: Field, z: Field) -> Field:
        v, w = y - 0.125, z - 1.79
        size = np.sqrt(x**2 + v**2 + w**2)
        return 0.8 * (size - 0.045 - 0.007 * np.abs(np.sin(4 * np.arctan2(w, x) + 70 * size)))

    canvas.merge(bun, (-0.06, 0.06, 1.73), (0.06, 0.18, 1.85), blend=0.01)
    for k in range(6):  # locks that fall onto the shoulders
        side, row = (-1 if k % 2 else 1), k // 2
        lock: list[tuple[float, float, float]] = [
            (
                side * (0.068 + 0.012 * row + 0.008 * np.sin(1.9 * step + k)),
                0.035 + 0.022 * row + 0.01 * np.cos(1.9 * step + k),
                1.71 - 0.032 * step,
            )
            for step in range(7)
        ]
        canvas.chain(lock, [0.019, 0.018, 0.018, 0.017, 0.015, 0.012, 0.007], blend=0.006)
    for k in range(26):  # a wreath of leaves
        turn = 2 * np.pi * (k + 0.5) / 26
        for lift in (0.0, 0.02):
            x, y = 0.097 * np.sin(turn), 0.008 - 0.108 * np.cos(turn)
            base = (0.97 * x, 0.97 * y, 1.806 + 0.3 * lift)
            lean = 0.02 * np.sign(np.sin(turn))
            tip = (
                1.1 * x - lean * np.cos(turn),
                1.1 * y - abs(lean) * np.sin(turn) ** 2,
                1.822 + lift,
            )
            canvas.limb(base, tip, 0.009, 0.004, blend=0.003)


def _pedestal(canvas: Canvas) -> None:
    def plinth(x: Field, y: Field, z: Field) -> Field:
        side = np.maximum(np.abs(x), np.abs(y)) - 0.4
        return np.maximum(side, np.abs(z - 0.04) - 0.04) + 0 * z

    canvas.merge(plinth, (-0.4, -0.4, 0.0), (0.4, 0.4, 0.08))

    def drum(x: Field, y: Field, z: Field) -> Field:
        radius = np.sqrt(x**2 + y**2)
        flute = np.sqrt(np.maximum(np.cos(24 * np.arctan2(y, x)), 0))
        ends = np.clip(np.minimum(z - 0.15, 0.43 - z) / 0.025, 0, 1)
        return np.maximum(0.8 * (radius - 0.325 + 0.02 * flute * ends), np.abs(z - 0.29) - 0.22)

    canvas.merge(drum, (-0.33, -0.33, 0.07), (0.33, 0.33, 0.51))
    for height, radius, thickness in (
        (0.105, 0.335, 0.03),
        (0.148, 0.325, 0.012),
        (0.445, 0.325, 0.012),
        (0.475, 0.335, 0.02),
    ):
        canvas.ring((0.0, 0.0, height), radius, thickness, blend=0.004)

    def top(x: Field, y: Field, z: Field) -> Field:
        return np.maximum(np.sqrt(x**2 + y**2) - 0.365, np.abs(z - 0.51) - 0.022)

    canvas.merge(top, (-0.37, -0.37, 0.48), (0.37, 0.37, 0.54), blend=0.004)
