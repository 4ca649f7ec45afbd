"""Duplicate and flipped faces are repaired where that helps, and stay where it does not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from geom_miner.mesh.diagnosis import diagnose
from geom_miner.mesh.patches import faces_to_flip
from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.mesh.weld import merge_identical_vertices
from geom_miner.voxelize.repair import Repaired, repair
from tests.mesh.broken_meshes import broken_meshes
from tests.mesh.slow_diagnosis import slowly_diagnosed
from tests.shapes import box, joined, sphere, torus
from tests.voxelize.slow_repair import (
    slow_faces_to_flip,
    slow_inverted_components,
    slowly_without_duplicates,
    slowly_without_second_sides,
)


def repaired(mesh: TriangleMesh) -> Repaired:
    return repair(mesh, diagnose(mesh))


def with_faces(mesh: TriangleMesh, faces: npt.NDArray[np.integer]) -> TriangleMesh:
    return TriangleMesh(mesh.vertices, faces)


def soup(mesh: TriangleMesh) -> TriangleMesh:
    corners = mesh.triangles.reshape(-1, 3)
    return TriangleMesh(corners, np.arange(len(corners)).reshape(-1, 3))


def test_a_mesh_without_faults_is_returned_itself() -> None:
    mesh = joined(box(), box((0.2, 0.2, 0.2), (0.8, 0.8, 0.8)))
    result = repaired(mesh)
    assert result.mesh is mesh
    assert (result.duplicates_removed, result.faces_flipped) == (0, 0)


@given(
    picked=st.lists(st.integers(0, 11), min_size=1, max_size=8),
    shift=st.integers(0, 2),
    flip=st.booleans(),
    split=st.booleans(),
)
@settings(max_examples=60)
def test_duplicate_faces_are_removed_unless_the_mesh_is_closed(
    picked: list[int], shift: int, flip: bool, split: bool
) -> None:
    extra = np.roll(box().faces[picked], shift, axis=1)
    if flip and len(set(picked)) == len(picked):
        # A single copy that faces the other way cancels its original, and so stays.
        extra = np.concatenate([extra, extra[:, ::-1]])
    mesh = with_faces(box(), np.concatenate([box().faces, extra]))
    result = repaired(soup(mesh) if split else mesh)
    if diagnose(mesh).closed:
        assert result.duplicates_removed == 0
    else:
        assert result.duplicates_removed == len(extra)
        assert result.diagnosis.watertight
        np.testing.assert_array_equal(result.mesh.triangles, box().triangles)


def test_two_components_that_share_a_wall_stay_closed() -> None:
    mesh = joined(box(), box((0, 0, 1), (1, 1, 2)))
    hole = with_faces(mesh, mesh.faces[1:])
    for given_mesh, odd in ((mesh, 0), (hole, 3)):
        result = repaired(given_mesh)
        assert result.duplicates_removed == 0
        assert result.diagnosis.odd_edges == odd


def test_copies_that_cancel_stay() -> None:
    """A fin whose face is stored in both orientations, beside a box with one duplicate face."""
    mesh = with_faces(box(), np.concatenate([box().faces, box().faces[:1]]))
    fin = TriangleMesh(
        np.array([[2, 0, 0], [3, 0, 0], [2, 1, 0.0]]), np.array([[0, 1, 2], [2, 1, 0]])
    )
    result = repaired(joined(mesh, fin))
    assert result.duplicates_removed == 1
    assert len(result.mesh.faces) == 14


@given(seed=st.integers(0, 2**32 - 1), split=st.booleans())
@settings(max_examples=40)
def test_flipped_faces_are_made_to_agree_with_the_larger_area(seed: int, split: bool) -> None:
    rng = np.random.default_rng(seed)
    mesh = joined(torus(major_segments=8, minor_segments=6), sphere(3.0, (5, 0, 0), 1))
    flip = rng.random(len(mesh.faces)) < 0.3
    faces = np.where(flip[:, None], mesh.faces[:, ::-1], mesh.faces)
    broken = with_faces(mesh, faces)
    result = repaired(soup(broken) if split else broken)
    assert result.diagnosis.misoriented_edges == 0
    corners = mesh.triangles
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(normals, axis=1)
    flips = 0
    for component in (slice(0, 96), slice(96, None)):
        flipped_area = area[component][flip[component]].sum()
        kept_area = area[component][~flip[component]].sum()
        # Equal areas leave the choice open, but do not occur at random corners.
        keep = kept_area > flipped_area
        expected = mesh.faces[component] if keep else mesh.faces[component][:, ::-1]
        volume = TriangleMesh(result.mesh.vertices, result.mesh.faces[component]).volume
        assert np.sign(volume) == np.sign(TriangleMesh(mesh.vertices, expected).volume)
        flips += int((flip if keep else ~flip)[component].sum())
    assert result.faces_flipped == flips


def test_components_and_cavities_keep_their_orientation() -> None:
    """Only faces that disagree with a neighbor are flipped: a flipped component may be a cavity."""
    inner = box((0.2, 0.2, 0.2), (0.8, 0.8, 0.8))
    cavity = with_faces(inner, inner.faces[:, ::-1])
    bad = with_faces(sphere(1.0, (5, 0, 0), 2), sphere(1.0, (5, 0, 0), 2).faces.copy())
    bad.faces[:3] = bad.faces[:3, ::-1]
    result = repaired(joined(box(), cavity, bad))
    assert result.faces_flipped == 3
    np.testing.assert_array_equal(result.mesh.faces[:24], joined(box(), cavity).faces)


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
    result = repaired(strip)
    assert result.faces_flipped == 0
    np.testing.assert_array_equal(result.mesh.faces, strip.faces)


@given(mesh=broken_meshes())
@settings(max_examples=200, deadline=None)
def test_equals_the_slow_oracle(mesh: TriangleMesh) -> None:
    single, given_mesh = mesh, slowly_diagnosed(mesh)
    if given_mesh.duplicate_faces and not given_mesh.closed:
        deduplicated = slowly_without_duplicates(mesh)
        if slowly_diagnosed(deduplicated).odd_edges < given_mesh.odd_edges:
            single = deduplicated
    expected = slowly_without_second_sides(single)
    faces = expected.faces
    if slowly_diagnosed(expected).misoriented_edges:
        to_flip = slow_faces_to_flip(expected)
        faces = np.where(to_flip[:, None], faces[:, ::-1], faces)
    agreeing = with_faces(expected, faces)
    after = slowly_diagnosed(agreeing)
    if 0 < after.inverted_components < after.components:
        to_flip = slow_inverted_components(agreeing)
        faces = np.where(to_flip[:, None], faces[:, ::-1], faces)
    result = repaired(mesh)
    np.testing.assert_array_equal(result.mesh.faces, faces)
    assert result.duplicates_removed == len(mesh.faces) - len(single.faces)
    assert result.second_sides_removed == len(single.faces) - len(faces)
    assert result.faces_flipped == np.count_nonzero((expected.faces != agreeing.faces).any(axis=1))


def test_flipping_equals_the_slow_oracle_on_many_faces() -> None:
    rng = np.random.default_rng(3)
    mesh = joined(torus(major_segments=90, minor_segments=70), sphere(3.0, (5, 0, 0), 4))
    shuffled = rng.permutation(mesh.faces)[:-200]
    flip = rng.random(len(shuffled)) < 0.4
    shuffled[flip] = shuffled[flip, ::-1]
    broken = with_faces(mesh, shuffled.astype(np.int32))
    to_flip = faces_to_flip(merge_identical_vertices(broken))
    np.testing.assert_array_equal(to_flip, slow_faces_to_flip(broken))
    assert to_flip.any()
