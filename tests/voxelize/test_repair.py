"""Repeated and turned faces, mended where that helps and left alone where it does not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from geom_miner.mesh.diagnose import diagnose
from geom_miner.mesh.patches import wrongly_turned
from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.mesh.weld import merge_identical_vertices
from geom_miner.voxelize.repair import Repaired, repair
from tests.mesh.broken_meshes import broken_meshes
from tests.mesh.slow_diagnosis import slowly_diagnosed
from tests.shapes import box, joined, sphere, torus
from tests.voxelize.slow_repair import slowly_without_repeats, slowly_wrongly_turned


def repaired(mesh: TriangleMesh) -> Repaired:
    return repair(mesh, diagnose(mesh))


def with_faces(mesh: TriangleMesh, faces: npt.NDArray[np.integer]) -> TriangleMesh:
    return TriangleMesh(mesh.vertices, faces)


def soup(mesh: TriangleMesh) -> TriangleMesh:
    corners = mesh.triangles.reshape(-1, 3)
    return TriangleMesh(corners, np.arange(len(corners)).reshape(-1, 3))


def test_a_sound_mesh_is_handed_back() -> None:
    mesh = joined(box(), box((0.2, 0.2, 0.2), (0.8, 0.8, 0.8)))
    found = repaired(mesh)
    assert found.mesh is mesh
    assert (found.removed, found.turned) == (0, 0)


@given(
    picked=st.lists(st.integers(0, 11), min_size=1, max_size=8),
    turn=st.integers(0, 2),
    flip=st.booleans(),
    split=st.booleans(),
)
@settings(max_examples=60)
def test_repeated_faces_go_unless_their_mesh_is_closed(
    picked: list[int], turn: int, flip: bool, split: bool
) -> None:
    extra = np.roll(box().faces[picked], turn, axis=1)
    if flip and len(set(picked)) == len(picked):
        # A single copy that faces the other way cancels its original, and so stays.
        extra = np.concatenate([extra, extra[:, ::-1]])
    mesh = with_faces(box(), np.concatenate([box().faces, extra]))
    found = repaired(soup(mesh) if split else mesh)
    if diagnose(mesh).closed:
        assert found.removed == 0
    else:
        assert found.removed == len(extra)
        assert found.diagnosis.watertight
        np.testing.assert_array_equal(found.mesh.triangles, box().triangles)


def test_two_parts_that_share_a_wall_stay_closed() -> None:
    mesh = joined(box(), box((0, 0, 1), (1, 1, 2)))
    hole = with_faces(mesh, mesh.faces[1:])
    for given_mesh, odd in ((mesh, 0), (hole, 3)):
        found = repaired(given_mesh)
        assert found.removed == 0
        assert found.diagnosis.odd_edges == odd


def test_copies_that_cancel_stay() -> None:
    """Two fins inside an open box, each face there both ways round, beside one repeated face."""
    mesh = with_faces(box(), np.concatenate([box().faces, box().faces[:1]]))
    fin = TriangleMesh(
        np.array([[2, 0, 0], [3, 0, 0], [2, 1, 0.0]]), np.array([[0, 1, 2], [2, 1, 0]])
    )
    found = repaired(joined(mesh, fin))
    assert found.removed == 1
    assert len(found.mesh.faces) == 14


@given(seed=st.integers(0, 2**32 - 1), split=st.booleans())
@settings(max_examples=40)
def test_turned_faces_come_to_agree_with_the_larger_area(seed: int, split: bool) -> None:
    rng = np.random.default_rng(seed)
    mesh = joined(torus(major_segments=8, minor_segments=6), sphere(3.0, (5, 0, 0), 1))
    flip = rng.random(len(mesh.faces)) < 0.3
    faces = np.where(flip[:, None], mesh.faces[:, ::-1], mesh.faces)
    broken = with_faces(mesh, faces)
    found = repaired(soup(broken) if split else broken)
    assert found.diagnosis.misoriented_edges == 0
    corners = mesh.triangles
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(normals, axis=1)
    turned = 0
    for part in (slice(0, 96), slice(96, None)):
        flipped, kept = area[part][flip[part]].sum(), area[part][~flip[part]].sum()
        # Equal areas leave the choice open; at random corners they do not occur.
        expected = mesh.faces[part] if kept > flipped else mesh.faces[part][:, ::-1]
        own = TriangleMesh(found.mesh.vertices, found.mesh.faces[part]).volume
        assert np.sign(own) == np.sign(TriangleMesh(mesh.vertices, expected).volume)
        turned += int((flip if kept > flipped else ~flip)[part].sum())
    assert found.turned == turned


def test_parts_and_cavities_keep_the_side_that_they_have() -> None:
    """Only faces that disagree with a neighbor turn; a part turned as a whole may be a cavity."""
    inner = box((0.2, 0.2, 0.2), (0.8, 0.8, 0.8))
    cavity = with_faces(inner, inner.faces[:, ::-1])
    bad = with_faces(sphere(1.0, (5, 0, 0), 2), sphere(1.0, (5, 0, 0), 2).faces.copy())
    bad.faces[:3] = bad.faces[:3, ::-1]
    found = repaired(joined(box(), cavity, bad))
    assert found.turned == 3
    np.testing.assert_array_equal(found.mesh.faces[:24], joined(box(), cavity).faces)


def test_a_one_sided_strip_stays_as_it_is() -> None:
    count = 12
    angle = 2 * np.pi * np.arange(count) / count
    out = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    half = np.cos(angle / 2)[:, None] * out + np.sin(angle / 2)[:, None] * np.array([0, 0, 1.0])
    vertices = np.concatenate([out - 0.3 * half, out + 0.3 * half])
    faces = []
    for k in range(count):
        a, b = k, k + count
        c, d = ((k + 1), (k + 1 + count)) if k + 1 < count else (count, 0)
        faces += [[a, c, b], [b, c, d]]
    strip = TriangleMesh(vertices, np.array(faces))
    assert diagnose(strip).misoriented_edges > 0
    found = repaired(strip)
    assert found.turned == 0
    np.testing.assert_array_equal(found.mesh.faces, strip.faces)


@given(mesh=broken_meshes())
@settings(max_examples=200, deadline=None)
def test_equals_the_slow_oracle(mesh: TriangleMesh) -> None:
    expected, given_mesh = mesh, slowly_diagnosed(mesh)
    if given_mesh.duplicate_faces and not given_mesh.closed:
        single = slowly_without_repeats(mesh)
        if slowly_diagnosed(single).odd_edges < given_mesh.odd_edges:
            expected = single
    faces = expected.faces
    if slowly_diagnosed(expected).misoriented_edges:
        wrong = slowly_wrongly_turned(expected)
        faces = np.where(wrong[:, None], faces[:, ::-1], faces)
    found = repaired(mesh)
    np.testing.assert_array_equal(found.mesh.faces, faces)
    assert found.removed == len(mesh.faces) - len(faces)
    assert found.turned == np.count_nonzero((expected.faces != faces).any(axis=1))


def test_turning_equals_the_slow_oracle_on_many_faces() -> None:
    rng = np.random.default_rng(3)
    mesh = joined(torus(major_segments=90, minor_segments=70), sphere(3.0, (5, 0, 0), 4))
    shuffled = rng.permutation(mesh.faces)[:-200]
    flip = rng.random(len(shuffled)) < 0.4
    shuffled[flip] = shuffled[flip, ::-1]
    broken = with_faces(mesh, shuffled.astype(np.int32))
    wrong = wrongly_turned(merge_identical_vertices(broken))
    np.testing.assert_array_equal(wrong, slowly_wrongly_turned(broken))
    assert wrong.any()
