"""The stand-ins are what they promise: closed, oriented, apart, large, the same every time."""

from __future__ import annotations

import itertools

import igl
import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from eval.shapes.solids import together
from eval.shapes.stand_in_engine import engine_bodies, procedural_engine
from eval.shapes.stand_in_statue import procedural_statue
from geom_miner import TriangleMesh


def is_closed(mesh: TriangleMesh) -> bool:
    """Every half-edge appears once and its opposite appears once."""
    faces = mesh.faces.astype(np.int64)
    a = faces.ravel()
    b = np.roll(faces, -1, axis=1).ravel()
    forth = np.sort(a * len(mesh.vertices) + b)
    back = np.sort(b * len(mesh.vertices) + a)
    return bool(np.array_equal(forth, back) and (np.diff(forth) > 0).all())


@pytest.fixture(scope="module")
def statue() -> TriangleMesh:
    return procedural_statue()


@pytest.fixture(scope="module")
def bodies() -> list[TriangleMesh]:
    return engine_bodies()


def test_checker_of_closedness_can_fail() -> None:
    corners = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    faces = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])
    assert is_closed(TriangleMesh(corners, faces))
    assert not is_closed(TriangleMesh(corners, faces[:3]))
    assert not is_closed(TriangleMesh(corners, np.concatenate([faces[:3], faces[3:, ::-1]])))


def test_statue_is_one_closed_surface(statue: TriangleMesh) -> None:
    assert len(statue.faces) > 100_000
    assert is_closed(statue)
    assert statue.volume > 0
    a, b = statue.faces.ravel(), np.roll(statue.faces, -1, axis=1).ravel()
    joined = coo_array((np.ones(len(a)), (a, b)), shape=(len(statue.vertices),) * 2)
    assert connected_components(joined, directed=False, return_labels=False) == 1


def test_statue_stays_inside_its_canvas(statue: TriangleMesh) -> None:
    low, high = statue.bounds
    assert np.allclose(low, [-0.4, -0.4, 0.0], atol=0.005)
    assert np.allclose(high, [0.4, 0.4, 2.125], atol=0.005)


def test_statue_is_the_same_every_time() -> None:
    first, second = procedural_statue(0.03), procedural_statue(0.03)
    assert np.array_equal(first.vertices, second.vertices)
    assert np.array_equal(first.faces, second.faces)


def test_engine_bodies_are_closed_and_outward(bodies: list[TriangleMesh]) -> None:
    assert [k for k, body in enumerate(bodies) if not is_closed(body) or body.volume <= 0] == []


def test_engine_is_its_bodies(bodies: list[TriangleMesh]) -> None:
    engine = procedural_engine()
    assert len(engine.faces) > 100_000
    assert np.array_equal(engine.vertices, together(bodies).vertices)
    assert engine.volume == pytest.approx(sum(body.volume for body in bodies))


def test_engine_bodies_do_not_overlap(bodies: list[TriangleMesh]) -> None:
    # No corner of one body lies in another: seen from it the other's winding number is 0, not 1.
    # Corners are much denser than the bodies are thick, so bodies cannot cross between them.
    for one, other in itertools.permutations(range(len(bodies)), 2):
        low, high = bodies[other].bounds
        corners = bodies[one].vertices
        corners = corners[((corners > low) & (corners < high)).all(axis=1)]
        if len(corners):
            winding = igl.fast_winding_number(
                bodies[other].vertices, bodies[other].faces.astype(np.int64), corners
            )
            assert np.abs(winding).max() < 0.5, (one, other)
