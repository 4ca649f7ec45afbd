"""Diagnosis of meshes with known faults."""

from __future__ import annotations

import dataclasses
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geom_miner.errors import MeshError
from geom_miner.mesh.diagnosis import Diagnosis, diagnose
from geom_miner.mesh.edges import MOST_VERTICES, count_edges
from geom_miner.mesh.triangle_mesh import TriangleMesh
from tests.mesh.broken_meshes import broken_meshes
from tests.mesh.slow_diagnosis import slowly_diagnosed
from tests.shapes import box, joined, sphere, torus

CLEAN = {
    "open_edges": 0,
    "nonmanifold_edges": 0,
    "misoriented_edges": 0,
    "degenerate_faces": 0,
    "duplicate_faces": 0,
    "closed": True,
    "watertight": True,
}


def as_dict(mesh: TriangleMesh) -> dict[str, object]:
    return dataclasses.asdict(diagnose(mesh))


def with_faces(mesh: TriangleMesh, faces: np.ndarray) -> TriangleMesh:
    return TriangleMesh(mesh.vertices, faces)


@pytest.mark.parametrize(
    ("mesh", "volume"),
    [
        (box((1, 2, 3), (2, 4, 6)), 6.0),
        (sphere(2.0, subdivisions=4), 32 / 3 * np.pi),
        (torus(1.0, 0.4), 2 * np.pi**2 * 0.16),
    ],
)
def test_clean_shapes(mesh: TriangleMesh, volume: float) -> None:
    diagnosis = as_dict(mesh)
    assert diagnosis.items() >= {**CLEAN, "components": 1, "faces": len(mesh.faces)}.items()
    assert volume * (1 + 1e-12) >= diagnose(mesh).volume > 0.99 * volume  # inscribed
    assert "watertight" in diagnose(mesh).sentences()[0]


def test_split_vertices_are_merged_first() -> None:
    mesh = torus(major_segments=12, minor_segments=8)
    soup = mesh.triangles.reshape(-1, 3)
    soup[soup == 0] = -0.0
    diagnosis = as_dict(TriangleMesh(soup, np.arange(len(soup)).reshape(-1, 3)))
    assert diagnosis.items() >= {**CLEAN, "components": 1, "vertices": len(soup)}.items()


def test_what_a_reader_left_out_is_said_after_the_verdict() -> None:
    soup = TriangleMesh(box().triangles.reshape(-1, 3), np.arange(36).reshape(-1, 3), ("Mind it.",))
    diagnosis = diagnose(soup)
    assert diagnosis.notes == ("Mind it.",)
    assert diagnosis.sentences()[1] == "Mind it."


def test_a_missing_face_opens_three_edges() -> None:
    diagnosis = diagnose(with_faces(box(), box().faces[1:]))
    assert (diagnosis.open_edges, diagnosis.closed, diagnosis.watertight) == (3, False, False)
    assert "3 open edge(s)" in " ".join(diagnosis.sentences())


def test_a_flipped_face_disagrees_along_three_edges() -> None:
    faces = box().faces.copy()
    faces[0] = faces[0, ::-1]
    diagnosis = as_dict(with_faces(box(), faces))
    assert diagnosis.items() >= {**CLEAN, "misoriented_edges": 3, "watertight": False}.items()


def test_a_duplicate_face_is_counted_whatever_its_rotation_and_orientation() -> None:
    for face in (np.roll(box().faces[3], 1), box().faces[3, ::-1]):
        diagnosis = diagnose(with_faces(box(), np.concatenate([box().faces, [face]])))
        assert (diagnosis.duplicate_faces, diagnosis.nonmanifold_edges) == (1, 3)
        assert not diagnosis.closed


def test_two_boxes_at_one_edge_are_closed_but_not_watertight() -> None:
    diagnosis = diagnose(joined(box(), box((1, 1, 0), (2, 2, 1))))
    assert (diagnosis.nonmanifold_edges, diagnosis.closed, diagnosis.watertight) == (1, True, False)
    assert diagnosis.components == 1
    assert "closed but not watertight" in diagnosis.sentences()[0]


def test_degenerate_faces_do_not_spoil_a_closed_mesh() -> None:
    """A face with two equal corners has no edges; one with three corners on a line has."""
    faces = np.concatenate([box().faces, [[0, 0, 1], [2, 2, 2]]])
    diagnosis = as_dict(with_faces(box(), faces))
    assert diagnosis.items() >= {**CLEAN, "degenerate_faces": 2}.items()
    line = TriangleMesh(np.array([[0, 0, 0], [1, 0, 0], [3, 0, 0.0]]), np.array([[0, 1, 2]]))
    assert diagnose(line).degenerate_faces == 1


def test_faces_that_point_inwards_are_reported() -> None:
    diagnosis = diagnose(with_faces(box(), box().faces[:, ::-1]))
    assert diagnosis.watertight
    assert diagnosis.volume == -1.0
    assert "inwards" in " ".join(diagnosis.sentences())


def test_no_faces_are_neither_closed_nor_an_error() -> None:
    diagnosis = diagnose(TriangleMesh(np.zeros((2, 3)), np.empty((0, 3), dtype=np.int64)))
    expected = Diagnosis(
        *(2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        closed=False,
        watertight=False,
        volume=0.0,
        area=0.0,
        far=None,
    )
    assert diagnosis == expected


@given(count=st.integers(1, 6), seed=st.integers(0, 2**32 - 1))
def test_components_are_counted_whatever_the_order_of_faces(count: int, seed: int) -> None:
    mesh = joined(*[box((2 * k, 0, 0), (2 * k + 1, 1, 1)) for k in range(count)])
    faces = np.random.default_rng(seed).permutation(mesh.faces)
    diagnosis = diagnose(with_faces(mesh, faces))
    assert (diagnosis.components, diagnosis.watertight) == (count, True)


EXACT = [f.name for f in dataclasses.fields(Diagnosis) if f.name not in ("volume", "area")]


def assert_equals_oracle(mesh: TriangleMesh) -> None:
    diagnosis, expected = diagnose(mesh), slowly_diagnosed(mesh)
    for name in EXACT:
        assert getattr(diagnosis, name) == getattr(expected, name), name
    scale = max(1.0, expected.area)
    assert diagnosis.area == pytest.approx(expected.area, rel=1e-12)
    assert diagnosis.volume == pytest.approx(expected.volume, abs=1e-12 * scale**1.5)


@given(mesh=broken_meshes())
@settings(max_examples=300, deadline=None)
def test_equals_the_slow_oracle(mesh: TriangleMesh) -> None:
    assert_equals_oracle(mesh)


@given(mesh=broken_meshes(), ranges=st.integers(1, 9))
@settings(deadline=None)
def test_edges_do_not_depend_on_the_ranges(mesh: TriangleMesh, ranges: int) -> None:
    count = len(mesh.vertices)
    single = count_edges(mesh.faces, count, ranges=1)
    assert count_edges(mesh.faces, count, ranges=ranges) == single


@pytest.mark.parametrize("hub", [0, 7, 1999])
def test_equals_the_slow_oracle_where_all_faces_meet(hub: int) -> None:
    """One bucket holds thousands of edges: a fan, of which every third face is stored twice."""
    rng = np.random.default_rng(1)
    rim = rng.permutation(np.delete(np.arange(2000), hub))
    fan = np.stack([np.full(len(rim), hub), rim, np.roll(rim, -1)], axis=1)
    faces = rng.permutation(np.concatenate([fan, fan[::3, ::-1]]))
    assert_equals_oracle(TriangleMesh(rng.random((2000, 3)), faces))


def test_equals_the_slow_oracle_on_a_mesh_of_many_slabs() -> None:
    rng = np.random.default_rng(2)
    mesh = torus(major_segments=300, minor_segments=200)
    order = rng.permutation(len(mesh.vertices))
    vertices = np.empty_like(mesh.vertices)
    vertices[order] = mesh.vertices
    faces = rng.permutation(order[mesh.faces])
    faces[::1000] = faces[::1000, ::-1]
    assert_equals_oracle(TriangleMesh(vertices, faces[:-5]))


def test_too_many_vertices_are_refused() -> None:
    with pytest.raises(MeshError, match="at most 2,147,483,648 to be examined"):
        count_edges(np.array([[0, 1, 2]]), MOST_VERTICES + 1)


def test_memory_is_less_than_the_mesh_itself() -> None:
    torus_of_millions = torus(major_segments=1000, minor_segments=1000)
    mesh = with_faces(torus_of_millions, torus_of_millions.faces.astype(np.int32))
    diagnose(box())  # compiles before memory is measured
    tracemalloc.start()
    try:
        assert diagnose(mesh).watertight
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0.3 < peak / (mesh.vertices.nbytes + mesh.faces.nbytes) < 1
