"""Topology of a mesh: closed or not, its connected components and its handles."""

from __future__ import annotations

from typing import Any

import numpy as np

from geom_miner import TriangleMesh, diagnose


def topology(mesh: TriangleMesh) -> dict[str, Any]:
    """Watertightness, number of connected components (``parts``), Euler characteristic and genus.

    Vertices of equal position count as one. The Euler characteristic V - E + F is that of the
    whole mesh. The genus of a watertight mesh is the sum over its components, parts - Euler / 2;
    it is None for an open one. Faces with two equal corners are left out.

    Returns
    -------
    dict with watertight, parts, euler, genus.
    """
    diagnosis = diagnose(mesh)
    euler = euler_characteristic(mesh)
    genus = diagnosis.components - euler // 2 if diagnosis.watertight and euler % 2 == 0 else None
    return {
        "watertight": diagnosis.watertight,
        "parts": diagnosis.components,
        "euler": euler,
        # Two sheets that touch at a vertex count it once, which makes the sum meaningless.
        "genus": genus if genus is None or genus >= 0 else None,
    }


def euler_characteristic(mesh: TriangleMesh) -> int:
    """Vertices less edges plus faces, positions merged, unused vertices left out."""
    _, merged = np.unique(mesh.vertices, axis=0, return_inverse=True)
    faces = merged.reshape(-1)[mesh.faces]
    a, b, c = faces.T
    faces = faces[(a != b) & (b != c) & (c != a)]
    sides = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1).astype(np.int64)
    edges = np.unique(sides[:, 0] * len(mesh.vertices) + sides[:, 1])
    return len(np.unique(faces)) - len(edges) + len(faces)
