"""Overlaps, cavities, holes, duplicate and flipped faces, sheets: known inside, and sentences."""

from __future__ import annotations

import sys

import numpy as np
import numpy.typing as npt
import pytest

from geom_miner.errors import BackendUnavailable
from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.voxelize.occupancy import Occupancy, voxelize_mesh
from geom_miner.voxelize.settings import VoxelizeSettings
from geom_miner.voxelize.winding import WindingNumbers, winding_numbers
from tests.shapes import box, joined, sphere, torus

BOX = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))


def flipped(mesh: TriangleMesh) -> TriangleMesh:
    return TriangleMesh(mesh.vertices, mesh.faces[:, ::-1])


def without(mesh: TriangleMesh, *faces: int) -> TriangleMesh:
    return TriangleMesh(mesh.vertices, np.delete(mesh.faces, faces, axis=0))


def facing(mesh: TriangleMesh, axis: int, value: float) -> list[int]:
    """Faces that lie in a plane."""
    return list(np.flatnonzero((mesh.triangles[..., axis] == value).all(axis=1)))


def voxels(mesh: TriangleMesh, n: int = 40, inside: str = "auto") -> Occupancy:
    return voxelize_mesh(mesh, VoxelizeSettings(n, inside=inside), block_size=8)


def dense(occupancy: Occupancy) -> npt.NDArray[np.bool_]:
    return occupancy.blocks.to_dense(occupancy.grid.shape)[..., 0].numpy() > 0.5


def in_box(occupancy: Occupancy, low: npt.ArrayLike, high: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Samples inside a box whose corners lie on no samples."""
    points = occupancy.grid.index_to_world(np.stack(np.indices(occupancy.grid.shape), axis=-1))
    return ((points > low) & (points < high)).all(axis=-1)


def exact_winding(occupancy: Occupancy, mesh: TriangleMesh) -> npt.NDArray[np.float64]:
    """Magnitudes of the winding numbers at all samples, by the solid angles of all faces."""
    points = occupancy.grid.index_to_world(np.stack(np.indices(occupancy.grid.shape), axis=-1))
    numbers = winding_numbers(mesh, points.reshape(-1, 3), exact=True)
    return np.abs(numbers).reshape(occupancy.grid.shape)


def sentences(occupancy: Occupancy) -> str:
    return " ".join(occupancy.report.sentences())


def test_overlapping_boxes_are_solid() -> None:
    other = ((0.11, 0.13, 0.17), (2.0, 2.1, 2.2))
    mesh = joined(box(*BOX), box(*other))
    occupancy = voxels(mesh)
    first, second = in_box(occupancy, *BOX), in_box(occupancy, *other)
    np.testing.assert_array_equal(dense(occupancy), first | second)
    np.testing.assert_array_equal(dense(voxels(mesh, inside="parity")), first ^ second)
    assert occupancy.report.method == "direction"
    assert occupancy.report.overlap_samples == np.count_nonzero(first & second) > 0
    assert occupancy.report.disputed_samples == occupancy.report.winding_samples == 0
    assert "overlaps itself" in sentences(occupancy)


def test_a_component_that_overlaps_itself_is_solid() -> None:
    """A tube along a figure of eight: where it crosses itself, parity finds it hollow."""
    around, tube = np.meshgrid(
        np.arange(96) * np.pi / 48, np.arange(24) * np.pi / 12, indexing="ij"
    )
    path = np.stack([np.sin(around), np.sin(2 * around), 0 * around], axis=-1)
    along = np.stack([np.cos(around), 2 * np.cos(2 * around)], axis=-1)
    along /= np.linalg.norm(along, axis=-1, keepdims=True)
    normal = np.stack([along[..., 1], -along[..., 0], 0 * around], axis=-1)
    out = np.cos(tube)[..., None] * normal + np.sin(tube)[..., None] * np.array([0, 0, 1.0])
    faces = torus(major_segments=96, minor_segments=24).faces
    mesh = TriangleMesh((path + 0.2 * out).reshape(-1, 3), faces)
    occupancy = voxels(mesh)
    assert occupancy.report.diagnosis.watertight
    assert occupancy.report.diagnosis.components == 1
    winding = exact_winding(occupancy, mesh)
    np.testing.assert_array_equal(dense(occupancy), winding > 0.5)
    assert occupancy.report.overlap_samples == np.count_nonzero(winding > 1.5) > 0


@pytest.mark.parametrize("outer_flipped", [False, True])
def test_a_cavity_stays_hollow_and_a_nested_shell_is_solid(outer_flipped: bool) -> None:
    inner = ((-0.53, -0.41, -0.37), (0.57, 0.43, 0.39))
    shell, core = box(*BOX), box(*inner)
    shell = flipped(shell) if outer_flipped else shell
    same = flipped(core) if outer_flipped else core
    cavity, solid = voxels(joined(shell, flipped(same))), voxels(joined(shell, same))
    outside_core = in_box(cavity, *BOX) & ~in_box(cavity, *inner)
    np.testing.assert_array_equal(dense(cavity), outside_core)
    np.testing.assert_array_equal(dense(solid), in_box(solid, *BOX))
    assert (cavity.report.method, solid.report.method) == ("parity", "direction")
    assert "outside by parity" in sentences(solid)


@pytest.mark.parametrize(("axis", "side"), [(0, -1.0), (1, 1.0), (2, -1.0), (2, 1.0)])
def test_a_box_without_a_side_is_whole(axis: int, side: float) -> None:
    mesh = without(box(*BOX), *facing(box(*BOX), axis, side))
    occupancy = voxels(mesh)
    truth = in_box(occupancy, *BOX)
    np.testing.assert_array_equal(dense(occupancy), truth)
    report = occupancy.report
    assert report.method == "majority+winding"
    assert report.disputed_samples == report.winding_samples == np.count_nonzero(truth)
    assert ("odd number" if axis == 2 else "no column along z runs through one") in report.reason
    assert "winding number decides" in sentences(occupancy)
    assert "holes" in sentences(occupancy)


def test_a_hole_smaller_than_the_samples_is_seen_by_its_edges() -> None:
    mesh = sphere(1.0, subdivisions=5)
    occupancy = voxels(without(mesh, 7), n=16)
    assert occupancy.report.odd_columns == 0
    assert "holes" in occupancy.report.reason
    assert occupancy.report.method == "majority"
    assert occupancy.report.disputed_samples == 0
    np.testing.assert_array_equal(dense(occupancy), dense(voxels(mesh, n=16)))


def test_axes_that_agree_on_a_wrong_answer_are_corrected() -> None:
    """A ball with five windows. Rays through two opposite windows meet nothing, and the ray through
    the fifth has one crossing, so all three axes agree that the center is outside."""
    mesh = sphere(1.0, subdivisions=5)
    center = mesh.triangles.mean(axis=1)
    windows = [
        (np.abs(np.delete(center, axis, axis=1)) < 0.2).all(axis=1) & (side * center[:, axis] > 0)
        for axis, side in ((0, 1), (0, -1), (1, 1), (1, -1), (2, 1))
    ]
    mesh = without(mesh, *np.flatnonzero(np.any(windows, axis=0)))
    occupancy = voxels(mesh)
    assert occupancy.report.winding_samples > occupancy.report.disputed_samples > 0
    winding = exact_winding(occupancy, mesh)
    clear = np.abs(winding - 0.5) > 0.1
    np.testing.assert_array_equal(dense(occupancy)[clear], winding[clear] > 0.5)
    assert dense(occupancy)[20, 20, 20]
    assert "may all be wrong" in sentences(occupancy)


@pytest.mark.parametrize("copies", [1, 2, 3])
def test_duplicate_and_degenerate_faces_do_no_harm(copies: int) -> None:
    mesh = sphere(1.0, (0.1, 0.2, 0.3), 3)
    extra = [mesh.faces[:40]] * copies + [np.array([[0, 0, 1], [5, 5, 5]])]
    occupancy = voxels(TriangleMesh(mesh.vertices, np.concatenate([mesh.faces, *extra])))
    np.testing.assert_array_equal(dense(occupancy), dense(voxels(mesh)))
    assert occupancy.report.diagnosis.duplicate_faces == 40 * copies
    assert occupancy.report.odd_columns == 0 or not occupancy.report.duplicates_removed


def test_a_mesh_stored_twice_is_itself() -> None:
    mesh = torus(1.0, 0.4)
    np.testing.assert_array_equal(dense(voxels(joined(mesh, mesh))), dense(voxels(mesh)))


def test_flipped_faces_and_components_do_no_harm() -> None:
    mesh = sphere(1.0, (0.1, 0.2, 0.3), 3)
    faces = mesh.faces.copy()
    faces[::3] = faces[::3, ::-1]
    whole = joined(mesh, sphere(0.5, (3.0, 0.0, 0.0), 3))
    broken = joined(TriangleMesh(mesh.vertices, faces), flipped(sphere(0.5, (3.0, 0.0, 0.0), 3)))
    occupancy = voxels(broken)
    np.testing.assert_array_equal(dense(occupancy), dense(voxels(whole)))
    assert occupancy.report.faces_flipped == len(faces[::3])
    assert "were flipped to agree" in sentences(occupancy)


def test_a_mesh_that_points_inwards_is_treated_as_flipped() -> None:
    occupancy = voxels(flipped(sphere(1.0, subdivisions=3)))
    np.testing.assert_array_equal(dense(occupancy), dense(voxels(sphere(1.0, subdivisions=3))))
    assert "as if they were flipped" in sentences(occupancy)


def test_an_open_sheet_is_reported_as_such() -> None:
    """Half a sphere without a floor: its inside is a guess, and the report states the share."""
    whole = sphere(1.0, subdivisions=4)
    dome = TriangleMesh(whole.vertices, whole.faces[(whole.triangles[..., 2] > -1e-9).all(axis=1)])
    occupancy = voxels(dome)
    report = occupancy.report
    assert report.disputed_fraction == report.disputed_samples / 40**3 > 0
    assert f"{report.disputed_fraction:.2%} of the cube" in sentences(occupancy)
    assert "open surface rather than a solid" in sentences(occupancy)


@pytest.mark.parametrize(
    ("thickness", "n", "sentence"),
    [
        (1e-6, 40, "No sample is inside: what the surface encloses is 2e-05 samples thick"),
        (1e-3, 64, "samples thick on average, so much of what the surface encloses falls between"),
    ],
)
def test_a_thin_shell_is_reported_as_such(thickness: float, n: int, sentence: str) -> None:
    """Two spheres close together: closed, with almost nothing inside."""
    outer = sphere(1.0, subdivisions=4)
    mesh = joined(outer, flipped(sphere(1.0 - thickness, subdivisions=4)))
    occupancy = voxels(mesh, n)
    assert occupancy.report.thickness < 0.1
    assert sentence in sentences(occupancy)


def test_a_sheet_of_two_sides_encloses_nothing() -> None:
    sheet = without(sphere(1.0, subdivisions=2), 7)
    report = voxels(joined(sheet, flipped(sheet))).report
    assert report.inside_fraction == report.second_sides_removed == 0
    assert "No sample is inside: the surface is a shell of zero thickness" in report.sentences()[2]


def test_a_single_sheet_is_empty_and_reported_as_open() -> None:
    """A tilted square encloses nothing at any resolution."""
    sheet = without(
        box(*BOX), *(f for a in (0, 1) for s in (-1, 1) for f in facing(box(*BOX), a, s))
    )
    sheet = without(sheet, *facing(sheet, 2, 1.0))
    tilted = TriangleMesh(sheet.vertices + 0.1 * sheet.vertices[:, [1, 2, 0]], sheet.faces)
    assert "the surface is open, a sheet rather than a solid" in sentences(voxels(tilted))


def test_without_libigl_the_vote_decides(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mesh = without(box(*BOX), *facing(box(*BOX), 2, 1.0))
    monkeypatch.setitem(sys.modules, "igl", None)
    occupancy = voxels(mesh)
    assert occupancy.report.method == "majority"
    assert occupancy.report.disputed_samples > occupancy.report.winding_samples == 0
    assert "geom_miner[eval]" in sentences(occupancy)
    np.testing.assert_array_equal(dense(occupancy), in_box(occupancy, *BOX))
    with pytest.raises(BackendUnavailable, match="libigl"):
        voxels(mesh, inside="winding")
    # A user who chose the vote gets no advice.
    assert "geom_miner[eval]" not in sentences(voxels(mesh, inside="majority"))


def test_blocks_with_padding_are_decided_too() -> None:
    """37 samples in blocks of 8; the shape reaches the end of the grid, so padding is inside."""
    mesh = without(box(*BOX), *facing(box(*BOX), 0, 1.0))
    occupancy = voxelize_mesh(mesh, VoxelizeSettings(37, fill=1.0), block_size=8)
    assert dense(occupancy).all()
    assert occupancy.report.disputed_samples == 37**3
    assert occupancy.report.mixed_blocks == 0
    assert bool((occupancy.blocks.constants == 1).all())


@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1.0), (1e9, 1.0), (0.0, 1e-12)])
def test_winding_numbers_do_not_depend_on_position_or_size(shift: float, scale: float) -> None:
    mesh = joined(sphere(1.0, subdivisions=3), sphere(0.5, subdivisions=3))
    moved = TriangleMesh(mesh.vertices * scale + shift, mesh.faces)
    points = np.array([[0, 0, 0], [0.7, 0, 0], [3, 0, 0]]) * scale + shift
    np.testing.assert_allclose(winding_numbers(moved, points, exact=True), [2, 1, 0], atol=1e-6)
    # Groups of distant faces are approximated.
    np.testing.assert_allclose(winding_numbers(moved, points), [2, 1, 0], atol=0.01)


@pytest.mark.parametrize("exact", [True, False])
def test_winding_numbers_are_the_same_at_every_call(exact: bool) -> None:
    numbers = WindingNumbers(sphere(1.0, subdivisions=3), exact=exact)
    points = np.random.default_rng(0).uniform(-2, 2, (30, 3))
    values = numbers.at(points)
    again = np.concatenate([numbers.at(points[:11]), numbers.at(points[11:])])
    np.testing.assert_allclose(again, values, rtol=0, atol=1e-14)
    np.testing.assert_allclose(values, np.linalg.norm(points, axis=1) < 1, atol=0.02)
    assert numbers.at(points[:0]).shape == (0,)


def test_few_faces_are_summed_exactly() -> None:
    points = np.random.default_rng(0).uniform(-2, 2, (100, 3))
    mesh = without(box(*BOX), 0, 5)
    exact = winding_numbers(mesh, points, exact=True)
    # The order of summation varies; the single precision of the tree would exceed the tolerance.
    np.testing.assert_allclose(winding_numbers(mesh, points), exact, rtol=0, atol=1e-14)


def test_a_winding_number_of_one_half_is_outside_every_time() -> None:
    """On the opening of a box without a lid it is 1/2, and rounding puts it on either side."""
    mesh = without(box(*BOX), *facing(box(*BOX), 2, 1.0))
    points = np.random.default_rng(0).uniform(-0.9, 0.9, (1000, 3))
    points[:, 2] = 1.0
    numbers = winding_numbers(mesh, points)
    assert 0 < np.count_nonzero(numbers > 0.5) < 1000
    np.testing.assert_allclose(numbers, 0.5, rtol=0, atol=1e-14)
    assert not WindingNumbers(mesh).inside(points).any()
