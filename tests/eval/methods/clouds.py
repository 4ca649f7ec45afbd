"""Oriented points of surfaces with known truth."""

from __future__ import annotations

import numpy as np

from eval.clouds.point_cloud import PointCloud
from geom_miner.points import PointSurface

CENTER = np.array([10.0, -20.0, 30.0])


def round_cloud(ndim: int, *, normals: bool, radius: float = 4.0) -> PointCloud:
    """Points of a circle or a sphere around CENTER, far from the origin."""
    directions = np.random.default_rng(0).normal(size=(600, ndim))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    points = directions * radius + CENTER[:ndim]
    return PointCloud(points, directions if normals else None)


def sphere_cloud(
    count: int,
    *,
    radius: float = 1.0,
    center: tuple[float, float, float] = (0, 0, 0),
    seed: int = 0,
) -> PointCloud:
    """Points drawn on a sphere, uniform in area."""
    normals = np.random.default_rng(seed).standard_normal((count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return PointCloud(np.asarray(center) + radius * normals, normals)


def plate_cloud(thickness: float, *, spacing: float = 0.05) -> PointCloud:
    """Both sides, without the rim, of a plate over [0, 1]^2, centered on the plane z = 0."""
    steps = np.arange(spacing / 2, 1, spacing)
    flat = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
    points, normals = [], []
    for side in (-1.0, 1.0):
        points.append(np.column_stack([flat, np.full(len(flat), side * thickness / 2)]))
        normals.append(np.tile([0.0, 0.0, side], (len(flat), 1)))
    return PointCloud(np.concatenate(points), np.concatenate(normals))


def surface_of(cloud: PointCloud) -> PointSurface:
    """The surface that a cloud's points lie on."""
    return PointSurface(cloud.points, cloud.normals)
