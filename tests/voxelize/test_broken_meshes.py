"""Overlaps, cavities, holes, repeats, turned faces and sheets: inside by known truth, and words."""

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


def turned(mesh: TriangleMesh) -> TriangleMesh:
    return TriangleMesh(mesh.vertices, mesh.faces[:, ::-1])


def without(mesh: TriangleMesh, *faces: int) -> TriangleMesh:
    return TriangleMesh(mesh.vertices, np.delete(mesh.faces, faces, axis=0))


def facing(mesh: TriangleMesh, axis: int, value: float) -> list[int]:
    """Faces in a plane."""
    return list(np.flatnonzero((mesh.triangles[..., axis] == value).all(axis=1)))


def voxels(mesh: TriangleMesh, n: int = 40, inside: str = "auto") -> Occupancy:
    return voxelize_mesh(mesh, VoxelizeSettings(n, inside=inside), block_size=8)


def dense(occupancy: Occupancy) -> npt.NDArray[np.bool_]:
    return occupancy.blocks.to_dense(occupancy.grid.shape)[..., 0].numpy() > 0.5


def in_box(occupancy: Occupancy, low: npt.ArrayLike, high: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Truth of one box; corners must not lie on samples."""
    points = occupancy.grid.index_to_world(np.stack(np.indices(occupancy.grid.shape), axis=-1))
    return ((points > low) & (points < high)).all(axis=-1)


def exact_winding(occupancy: Occupancy, mesh: TriangleMesh) -> npt.NDArray[np.float64]:
    """Magnitudes of the winding numbers at all samples, by the solid angles of all faces."""
    points = occupancy.grid.index_to_world(np.stack(np.indices(occupancy.grid.shape), axis=-1))
    found = winding_numbers(mesh, points.reshape(-1, 3), exact=True)
    return np.abs(found).reshape(occupancy.grid.shape)


def words(occupancy: Occupancy) -> str:
    return " ".join(occupancy.report.sentences())


def test_overlapping_boxes_are_solid() -> None:
    other = ((0.11, 0.13, 0.17), (2.0, 2.1, 2.2))
    mesh = joined(box(*BOX), box(*other))
    found = voxels(mesh)
    first, second = in_box(found, *BOX), in_box(found, *other)
    np.testing.assert_array_equal(dense(found), first | second)
    np.testing.assert_array_equal(dense(voxels(mesh, inside="parity")), first ^ second)
    assert found.report.method == "direction"
    assert found.report.overlap_samples == np.count_nonzero(first & second) > 0
    assert found.report.doubtful_samples == found.report.winding_samples == 0
    assert "parts overlap" in words(found)


def test_a_part_that_overlaps_itself_is_solid() -> None:
    """One component, a tube along a figure of eight: where it crosses itself, parity is blind."""
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
    found = voxels(mesh)
    assert found.report.diagnosis.watertight
    assert found.report.diagnosis.parts == 1
    winding = exact_winding(found, mesh)
    np.testing.assert_array_equal(dense(found), winding > 0.5)
    assert found.report.overlap_samples == np.count_nonzero(winding > 1.5) > 0


@pytest.mark.parametrize("outer_turned", [False, True])
def test_a_cavity_stays_hollow_and_a_nested_part_is_solid(outer_turned: bool) -> None:
    inner = ((-0.53, -0.41, -0.37), (0.57, 0.43, 0.39))
    shell, core = box(*BOX), box(*inner)
    shell = turned(shell) if outer_turned else shell
    same = turned(core) if outer_turned else core
    cavity, solid = voxels(joined(shell, turned(same))), voxels(joined(shell, same))
    outside_core = in_box(cavity, *BOX) & ~in_box(cavity, *inner)
    np.testing.assert_array_equal(dense(cavity), outside_core)
    np.testing.assert_array_equal(dense(solid), in_box(solid, *BOX))
    assert (cavity.report.method, solid.report.method) == ("parity", "direction")
    assert "hollow by parity" in words(solid)


@pytest.mark.parametrize(("axis", "side"), [(0, -1.0), (1, 1.0), (2, -1.0), (2, 1.0)])
def test_a_box_without_a_side_is_whole(axis: int, side: float) -> None:
    mesh = without(box(*BOX), *facing(box(*BOX), axis, side))
    found = voxels(mesh)
    truth = in_box(found, *BOX)
    np.testing.assert_array_equal(dense(found), truth)
    report = found.report
    assert report.method == "majority+winding"
    assert report.doubtful_samples == report.winding_samples == np.count_nonzero(truth)
    assert ("odd number" if axis == 2 else "no column along z runs through one") in report.why
    assert "winding number decides" in words(found)
    assert "holes" in words(found)


def test_a_hole_smaller_than_the_samples_is_seen_by_its_edges() -> None:
    mesh = sphere(1.0, subdivisions=5)
    found = voxels(without(mesh, 7), n=16)
    assert found.report.odd_columns == 0
    assert "holes" in found.report.why
    assert found.report.method == "majority"
    assert found.report.doubtful_samples == 0
    np.testing.assert_array_equal(dense(found), dense(voxels(mesh, n=16)))


def test_axes_that_are_wrong_together_are_found_out() -> None:
    """A ball with five windows: rays through opposite ones meet nothing, the ray through the fifth
    has one crossing, so all three axes agree that the center is outside."""
    mesh = sphere(1.0, subdivisions=5)
    center = mesh.triangles.mean(axis=1)
    windows = [
        (np.abs(np.delete(center, axis, axis=1)) < 0.2).all(axis=1) & (side * center[:, axis] > 0)
        for axis, side in ((0, 1), (0, -1), (1, 1), (1, -1), (2, 1))
    ]
    mesh = without(mesh, *np.flatnonzero(np.any(windows, axis=0)))
    found = voxels(mesh)
    assert found.report.winding_samples > found.report.doubtful_samples > 0
    winding = exact_winding(found, mesh)
    clear = np.abs(winding - 0.5) > 0.1
    np.testing.assert_array_equal(dense(found)[clear], winding[clear] > 0.5)
    assert dense(found)[20, 20, 20]
    assert "wrong together" in words(found)


@pytest.mark.parametrize("copies", [1, 2, 3])
def test_repeated_and_degenerate_faces_do_no_harm(copies: int) -> None:
    mesh = sphere(1.0, (0.1, 0.2, 0.3), 3)
    extra = [mesh.faces[:40]] * copies + [np.array([[0, 0, 1], [5, 5, 5]])]
    found = voxels(TriangleMesh(mesh.vertices, np.concatenate([mesh.faces, *extra])))
    np.testing.assert_array_equal(dense(found), dense(voxels(mesh)))
    assert found.report.diagnosis.duplicate_faces == 40 * copies
    assert found.report.odd_columns == 0 or not found.report.repeats_removed


def test_a_mesh_stored_twice_is_itself() -> None:
    mesh = torus(1.0, 0.4)
    np.testing.assert_array_equal(dense(voxels(joined(mesh, mesh))), dense(voxels(mesh)))


def test_turned_faces_and_parts_do_no_harm() -> None:
    mesh = sphere(1.0, (0.1, 0.2, 0.3), 3)
    faces = mesh.faces.copy()
    faces[::3] = faces[::3, ::-1]
    whole = joined(mesh, sphere(0.5, (3.0, 0.0, 0.0), 3))
    broken = joined(TriangleMesh(mesh.vertices, faces), turned(sphere(0.5, (3.0, 0.0, 0.0), 3)))
    found = voxels(broken)
    np.testing.assert_array_equal(dense(found), dense(voxels(whole)))
    assert found.report.faces_turned == len(faces[::3])
    assert "were turned to agree" in words(found)


def test_a_mesh_inside_out_is_turned_and_said() -> None:
    found = voxels(turned(sphere(1.0, subdivisions=3)))
    np.testing.assert_array_equal(dense(found), dense(voxels(sphere(1.0, subdivisions=3))))
    assert "as if turned outwards" in words(found)


def test_an_open_sheet_is_reported_as_such() -> None:
    """Half a sphere, without a floor: what it holds is a guess, and that is said with a share."""
    whole = sphere(1.0, subdivisions=4)
    dome = TriangleMesh(whole.vertices, whole.faces[(whole.triangles[..., 2] > -1e-9).all(axis=1)])
    found = voxels(dome)
    report = found.report
    assert report.doubtful_fraction == report.doubtful_samples / 40**3 > 0
    assert f"{report.doubtful_fraction:.2%} of the cube" in words(found)
    assert "open surface rather than a solid" in words(found)


@pytest.mark.parametrize(
    ("thickness", "n", "said"),
    [
        (0.0, 40, "No sample is inside: the surface is a shell of zero thickness"),
        (1e-6, 40, "No sample is inside: the surface is a thin shell that falls between"),
        (1e-3, 64, "samples thick on average: the surface is a thin shell"),
    ],
)
def test_a_thin_shell_is_reported_as_such(thickness: float, n: int, said: str) -> None:
    """Two spheres a hair apart, or in one place: closed, and next to nothing inside."""
    outer = sphere(1.0, subdivisions=4)
    mesh = joined(outer, turned(sphere(1.0 - thickness, subdivisions=4)))
    found = voxels(mesh, n)
    assert found.report.thickness < 0.1
    assert said in words(found)


def test_a_lone_sheet_holds_nothing_and_is_called_open() -> None:
    """A tilted square: nothing is inside, and the resolution is not to blame."""
    sheet = without(
        box(*BOX), *(f for a in (0, 1) for s in (-1, 1) for f in facing(box(*BOX), a, s))
    )
    sheet = without(sheet, *facing(sheet, 2, 1.0))
    tilted = TriangleMesh(sheet.vertices + 0.1 * sheet.vertices[:, [1, 2, 0]], sheet.faces)
    assert "the surface is open, a sheet rather than a solid" in words(voxels(tilted))


def test_without_libigl_the_vote_stays_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    mesh = without(box(*BOX), *facing(box(*BOX), 2, 1.0))
    monkeypatch.setitem(sys.modules, "igl", None)
    found = voxels(mesh)
    assert found.report.method == "majority"
    assert found.report.doubtful_samples > found.report.winding_samples == 0
    assert "geom_miner[eval]" in words(found)
    np.testing.assert_array_equal(dense(found), in_box(found, *BOX))
    with pytest.raises(BackendUnavailable, match="libigl"):
        voxels(mesh, inside="winding")
    # The user's own choice is not lectured about.
    assert "geom_miner[eval]" not in words(voxels(mesh, inside="majority"))


def test_blocks_with_padding_are_settled_too() -> None:
    """37 samples in blocks of 8 of a shape that reaches the grid's end: padding continues it."""
    mesh = without(box(*BOX), *facing(box(*BOX), 0, 1.0))
    found = voxelize_mesh(mesh, VoxelizeSettings(37, fill=1.0), block_size=8)
    assert dense(found).all()
    assert found.report.doubtful_samples == 37**3
    assert found.report.mixed_blocks == 0
    assert bool((found.blocks.constants == 1).all())


@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1.0), (1e9, 1.0), (0.0, 1e-12)])
def test_winding_numbers_are_those_of_the_mesh_wherever_it_lies(shift: float, scale: float) -> None:
    mesh = joined(sphere(1.0, subdivisions=3), sphere(0.5, subdivisions=3))
    moved = TriangleMesh(mesh.vertices * scale + shift, mesh.faces)
    points = np.array([[0, 0, 0], [0.7, 0, 0], [3, 0, 0]]) * scale + shift
    np.testing.assert_allclose(winding_numbers(moved, points, exact=True), [2, 1, 0], atol=1e-6)
    # Taking distant faces together costs some accuracy.
    np.testing.assert_allclose(winding_numbers(moved, points), [2, 1, 0], atol=0.01)


@pytest.mark.parametrize("exact", [True, False])
def test_winding_numbers_are_the_same_at_every_question(exact: bool) -> None:
    numbers = WindingNumbers(sphere(1.0, subdivisions=3), exact=exact)
    points = np.random.default_rng(0).uniform(-2, 2, (30, 3))
    found = numbers.at(points)
    again = np.concatenate([numbers.at(points[:11]), numbers.at(points[11:])])
    np.testing.assert_allclose(again, found, rtol=0, atol=1e-14)
    np.testing.assert_allclose(found, np.linalg.norm(points, axis=1) < 1, atol=0.02)
    assert numbers.at(points[:0]).shape == (0,)


def test_few_faces_are_summed_up() -> None:
    points = np.random.default_rng(0).uniform(-2, 2, (100, 3))
    mesh = without(box(*BOX), 0, 5)
    exact = winding_numbers(mesh, points, exact=True)
    # Faces are added up in any order; single precision, as of the tree, would show.
    np.testing.assert_allclose(winding_numbers(mesh, points), exact, rtol=0, atol=1e-14)


def test_a_winding_number_of_one_half_is_outside_every_time() -> None:
    """As it is all over the opening of a box without a lid; rounding gives either side of it."""
    mesh = without(box(*BOX), *facing(box(*BOX), 2, 1.0))
    points = np.random.default_rng(0).uniform(-0.9, 0.9, (1000, 3))
    points[:, 2] = 1.0
    numbers = winding_numbers(mesh, points)
    assert 0 < np.count_nonzero(numbers > 0.5) < 1000
    np.testing.assert_allclose(numbers, 0.5, rtol=0, atol=1e-14)
    assert not WindingNumbers(mesh).inside(points).any()
