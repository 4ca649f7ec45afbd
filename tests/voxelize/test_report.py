"""The report names the fault and its place, and no sentence of it contradicts another."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geom_miner.errors import MeshError
from geom_miner.mesh.diagnosis import diagnose
from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.targets.mesh import mesh_target
from geom_miner.voxelize.occupancy import Occupancy, voxelize_mesh
from geom_miner.voxelize.settings import InsideTest, VoxelizeSettings
from tests.mesh.broken_meshes import broken_meshes
from tests.shapes import box, joined, sphere

# No two of these may stand in one report.
CONTRADICTIONS = [
    ("No sample is inside", "samples thick on average, so"),
    ("No sample is inside", "is a guess"),
    ("zero thickness", "holes"),
    ("zero thickness", "point inwards"),
    ("zero thickness", "sheet rather than a solid"),
    ("[Tt]he mesh is closed", "has holes"),
    ("[Tt]he mesh is (closed|watertight)", "[Tt]he mesh is not closed"),
    ("[Tt]he repaired mesh is closed", "After the repairs named above it is not closed"),
    ("[Tt]he repaired mesh is closed", "[^,] the mesh is not closed|^The mesh is not closed"),
    ("The mesh is watertight", "open edge|more than two faces|disagree about outside"),
    ("and no solids in it overlap", "overlap or are nested|overlaps itself"),
    ("parity is right", "the axes disagree|The axes disagree|odd number"),
    ("has no consistent outside", "parity is right"),
    ("is closed", "near its holes|large holes|at holes|through holes"),
    ("has no face with an area", "watertight|open edge"),
]


def in_places(sentences: list[str], pattern: str) -> bool:
    return any(re.search(pattern, sentence) for sentence in sentences)


def assert_consistent(occupancy: Occupancy) -> None:
    report = occupancy.report
    # What was stored may differ from what was tested, and says so.
    sentences = [line for line in report.sentences() if not line.startswith("As stored")]
    for one, other in CONTRADICTIONS:
        assert not (in_places(sentences, one) and in_places(sentences, other)), sentences
    inside = float(report.inside_fraction)
    assert in_places(sentences, "^No sample is inside") == (inside == 0)
    assert in_places(sentences, r"\b0\.00% inside") == (inside == 0)
    tested = report.repaired
    assert in_places(sentences, "Inside is a guess") == (inside > 0 and not tested.closed)
    assert in_places(sentences, "repaired mesh|After the repairs") <= bool(
        occupancy.repaired.repairs
    )
    verdicts = [s for s in report.sentences() if "connected component(s)" in s]
    assert len(verdicts) == 1
    if tested.closed:
        assert report.odd_columns == 0
    assert len(set(report.sentences())) == len(report.sentences())


def flipped(mesh: TriangleMesh) -> TriangleMesh:
    return TriangleMesh(mesh.vertices, mesh.faces[:, ::-1])


def moved(mesh: TriangleMesh, by: tuple[float, float, float]) -> TriangleMesh:
    return TriangleMesh(mesh.vertices + np.array(by), mesh.faces)


def without_first(mesh: TriangleMesh) -> TriangleMesh:
    return TriangleMesh(mesh.vertices, mesh.faces[2:])


def rounded(mesh: TriangleMesh, amount: float = 1e-7) -> TriangleMesh:
    """Every face with corners of its own, each moved by a little."""
    corners = mesh.triangles.reshape(-1, 3)
    moved = corners + np.random.default_rng(0).uniform(-amount, amount, corners.shape)
    return TriangleMesh(moved, np.arange(len(corners)).reshape(-1, 3))


TRIANGLE = TriangleMesh(np.array([[0, 0, 0], [1e-3, 0, 0], [0, 1e-3, 0.0]]), np.array([[0, 1, 2]]))
LENS = TriangleMesh(
    sphere(1.0, subdivisions=2).vertices * [1, 1, 1e-3], sphere(1.0, subdivisions=2).faces
)
FIRST = {
    "box": box(),
    "inverted box": flipped(box()),
    "open box": without_first(box()),
    "doubled box": joined(box(), box()),
    "box of two sides": joined(box(), flipped(box())),
    "open box of two sides": joined(without_first(box()), flipped(without_first(box()))),
    "rounded box": rounded(box()),
    "lens": LENS,
    "box with a duplicate face": TriangleMesh(box().vertices, box().faces[[*range(12), 3]]),
    "box with a flipped face": TriangleMesh(
        box().vertices, np.concatenate([box().faces[:1, ::-1], box().faces[1:]])
    ),
    "box with a second side": TriangleMesh(
        box().vertices, np.concatenate([box().faces, box().faces[:1, ::-1]])
    ),
}
SECOND = {
    "nothing": None,
    "box that overlaps": box((0.5, 0.4, 0.3), (1.7, 1.6, 1.5)),
    "inverted box that overlaps": flipped(box((0.5, 0.4, 0.3), (1.7, 1.6, 1.5))),
    "cavity": flipped(box((0.3, 0.3, 0.3), (0.7, 0.7, 0.7))),
    "open box": without_first(box((2, 0, 0), (3, 1, 1))),
    "stray triangle": moved(TRIANGLE, (300, 0, 0)),
    "touching box": box((1, 0, 0), (2, 1, 1)),
}


@pytest.mark.parametrize("inside", ["auto", "parity", "majority"])
@pytest.mark.parametrize("second", list(SECOND))
def test_no_report_contradicts_itself(second: str, inside: InsideTest) -> None:
    for first, resolution in itertools.product(FIRST.values(), (5, 12)):
        other = SECOND[second]
        mesh = first if other is None else joined(first, other)
        assert_consistent(voxelize_mesh(mesh, VoxelizeSettings(resolution, inside=inside)))


@given(mesh=broken_meshes(), inside=st.sampled_from(["auto", "parity", "majority"]))
@settings(max_examples=25, deadline=None)
def test_no_report_on_random_faces_contradicts_itself(
    mesh: TriangleMesh, inside: InsideTest
) -> None:
    try:
        occupancy = voxelize_mesh(mesh, VoxelizeSettings(9, inside=inside))
    except MeshError:  # flat
        return
    assert_consistent(occupancy)


def test_parts_of_opposite_orientation_that_overlap_are_one_solid() -> None:
    pairs = [
        (box(), box((0.5, 0.5, 0.5), (1.5, 1.0, 1.5))),
        (sphere(1.0), sphere(1.0, (1.1, 0.2, 0.1))),
        (
            joined(box(), flipped(box((0.1, 0.1, 0.1), (0.4, 0.4, 0.4)))),
            box((0.5, -1, 0.5), (2, 2, 2)),
        ),
    ]
    for first, second in pairs:
        expected = voxelize_mesh(joined(first, second), VoxelizeSettings(32))
        for one, other in ((first, flipped(second)), (flipped(first), second)):
            found = voxelize_mesh(joined(one, other), VoxelizeSettings(32))
            assert found.report.components_flipped > 0
            assert in_places(found.report.sentences(), "face the other way than the rest")
            assert bool((found.blocks.values == expected.blocks.values).all())
            assert found.report.inside_fraction == expected.report.inside_fraction


def test_a_cavity_that_touches_the_wall_stays_a_hole() -> None:
    mesh = joined(box(), flipped(box((0, 0.25, 0.25), (0.5, 0.75, 0.75))))
    occupancy = voxelize_mesh(mesh, VoxelizeSettings(64, fill=1.0))
    assert occupancy.report.components_flipped == 0
    assert occupancy.report.inside_fraction == 1 - 1 / 8


def test_corners_that_differ_by_rounding_are_welded() -> None:
    for mesh in (rounded(box(), 4e-7), rounded(sphere(5.0, (40, 0, 0)), 2e-6)):
        occupancy = voxelize_mesh(mesh, VoxelizeSettings(16))
        assert occupancy.report.diagnosis.watertight
        assert occupancy.report.diagnosis.components == 1
        assert occupancy.report.method == "parity"
        assert occupancy.report.odd_columns == 0
        assert in_places(occupancy.report.sentences(), "differ from others only by rounding")
    assert diagnose(rounded(box(), 1e-3)).open_edges == 36


def test_a_surface_of_two_sides_is_solid() -> None:
    ball = sphere(1.0, subdivisions=2)
    expected = voxelize_mesh(ball, VoxelizeSettings(24))
    faces = np.stack([ball.faces, ball.faces[:, [0, 2, 1]]], axis=1)
    faces[::3] = faces[::3, ::-1]
    occupancy = voxelize_mesh(
        TriangleMesh(ball.vertices, faces.reshape(-1, 3)), VoxelizeSettings(24)
    )
    assert occupancy.report.second_sides_removed == len(ball.faces)
    assert occupancy.report.inside_fraction == expected.report.inside_fraction
    assert occupancy.report.repaired.watertight


@pytest.mark.parametrize("distance", [10.0, 1e3, 1e9])
def test_a_far_face_is_named_with_its_place(distance: float) -> None:
    stray = moved(TRIANGLE, (0, -distance, 0))
    report = voxelize_mesh(joined(sphere(), stray), VoxelizeSettings(16)).report
    far = report.diagnosis.far
    assert far is not None
    assert (far.faces, far.place) == (1, (0.0, -distance, 0.0))
    assert far.share_of_others == pytest.approx(2 / (1 + distance), rel=0.01)
    assert in_places(
        report.sentences(), f"as far as \\(0, -{distance:.6g}, 0\\)".replace("+", "\\+")
    )
    if not report.inside_fraction:
        assert in_places(report.sentences(), "No sample is inside: 1 face.s. lie so far away")


def test_a_mesh_without_an_inside_is_refused_unless_allowed() -> None:
    with pytest.raises(MeshError, match=r"no sample of 8\^3 is inside.*raise the resolution"):
        mesh_target(LENS, "occupancy", VoxelizeSettings(8), scales=1)
    made = mesh_target(LENS, "occupancy", VoxelizeSettings(8), scales=1, allow_empty=True)
    assert made.occupancy.report.inside_fraction == 0
