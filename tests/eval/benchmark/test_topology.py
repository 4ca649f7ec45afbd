"""Euler characteristic and genus of shapes whose topology is known."""

from __future__ import annotations

import numpy as np
import pytest

from eval.benchmark.topology import euler_characteristic, topology
from geom_miner import TriangleMesh
from tests.shapes import box, joined, sphere, torus


def soup(mesh: TriangleMesh) -> TriangleMesh:
    """The same triangles, each with corners of its own."""
    return TriangleMesh(
        mesh.triangles.reshape(-1, 3), np.arange(3 * len(mesh.faces)).reshape(-1, 3)
    )


@pytest.mark.parametrize(
    ("mesh", "parts", "genus"),
    [
        (sphere(), 1, 0),
        (box(), 1, 0),
        (torus(), 1, 1),
        (soup(torus()), 1, 1),
        (joined(torus(), sphere(0.1, (5, 0, 0)), torus(center=(9, 0, 0))), 3, 2),
    ],
)
def test_closed_shapes(mesh: TriangleMesh, parts: int, genus: int) -> None:
    found = topology(mesh)
    assert found["watertight"]
    assert (found["parts"], found["genus"]) == (parts, genus)
    assert found["euler"] == 2 * parts - 2 * genus


def test_an_open_shape_has_no_genus() -> None:
    whole = sphere()
    opened = TriangleMesh(whole.vertices, whole.faces[1:])
    assert topology(opened) == {"watertight": False, "parts": 1, "euler": 1, "genus": None}


def test_unused_vertices_and_faces_without_area_do_not_count() -> None:
    whole = sphere()
    vertices = np.concatenate([whole.vertices, [[9.0, 9.0, 9.0]]])
    faces = np.concatenate([whole.faces, [[0, 0, 1]]])
    assert euler_characteristic(TriangleMesh(vertices, faces)) == 2
