"""Sharp edges appear where analytic shapes have them; nothing else moves, opens or flips."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from geom_miner.errors import SettingsError
from geom_miner.extract.isosurface import extract_mesh_dense
from geom_miner.extract.sharpening import sharpen
from geom_miner.grid.samples import SampleGrid
from geom_miner.mesh.diagnosis import diagnose
from geom_miner.mesh.triangle_mesh import TriangleMesh
from tests.shapes import box

Floats = npt.NDArray[np.float64]
# Signed distance of points (..., 3), negative inside.
Distance = Callable[[Floats], Floats]

# Samples along each side. Lengths below are in voxels and positions relative to the center.
SIDE = 56
TURN = Rotation.from_euler("zyx", [31.0, 17.0, 23.0], degrees=True)
HALF = np.array([17.3, 14.6, 11.2])


def cuboid(half: Floats) -> Distance:
    def distance(x: Floats) -> Floats:
        over = np.abs(x) - half
        outside = np.linalg.norm(np.maximum(over, 0), axis=-1)
        return np.asarray(outside + np.minimum(over.max(axis=-1), 0))

    return distance


def cylinder(radius: float, half: float) -> Distance:
    def distance(x: Floats) -> Floats:
        over = np.stack([np.hypot(x[..., 0], x[..., 1]) - radius, np.abs(x[..., 2]) - half], -1)
        outside = np.linalg.norm(np.maximum(over, 0), axis=-1)
        return np.asarray(outside + np.minimum(over.max(axis=-1), 0))

    return distance


def step() -> Distance:
    """A cuboid without one eighth of it, which leaves three concave edges and a concave corner."""
    whole, missing = cuboid(HALF), cuboid(HALF)
    # Exact near the surface, which is all that the truncated distance needs.
    return lambda x: np.maximum(whole(x), -missing(x - HALF))


def marched(distance: Distance, turn: Rotation = TURN, side: int = SIDE) -> TriangleMesh:
    """The marching-cubes mesh of a distance truncated at two voxels; a voxel is one unit."""
    grid = SampleGrid((side,) * 3, (1.0,) * 3, (-side / 2,) * 3)
    axis = np.arange(side) + 0.5 - side / 2
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    local = turn.inv().apply(points.reshape(-1, 3)).reshape(points.shape)
    field = np.clip(0.5 - distance(local) / 4, 0, 1).astype(np.float32)
    return extract_mesh_dense(field, grid, iso_level=0.5)


def off_surface(mesh: TriangleMesh, distance: Distance, turn: Rotation = TURN) -> Floats:
    """Distances of vertices and of face centers from the surface."""
    points = np.concatenate([mesh.vertices, mesh.triangles.mean(axis=1)])
    return np.abs(distance(turn.inv().apply(points)))


def euler(mesh: TriangleMesh) -> int:
    return len(np.unique(mesh.faces)) - len(mesh.faces) // 2


def count_flipped(mesh: TriangleMesh, distance: Distance) -> int:
    """Faces that point inwards, of those large enough to have a direction."""
    corners = mesh.triangles
    areas = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    size = np.linalg.norm(areas, axis=1)
    middle, out = corners.mean(axis=1), areas / np.maximum(size, 1e-30)[:, None]
    ahead = distance(TURN.inv().apply(middle + 0.2 * out))
    behind = distance(TURN.inv().apply(middle - 0.2 * out))
    return int(((ahead < 0) & (behind > 0) & (size > 1e-4)).sum())


@pytest.mark.parametrize(
    ("distance", "volume", "better", "worst"),
    [
        (cuboid(HALF), 8 * HALF.prod(), 4, 0.03),
        # The side of the cylinder bends by 0.1 voxel over the extent of a fitted plane.
        (cylinder(15.4, 12.7), 2 * np.pi * 15.4**2 * 12.7, 2, 0.1),
        (step(), 7 * HALF.prod(), 4, 0.03),
    ],
    ids=["cuboid", "cylinder", "step"],
)
def test_edges_are_restored_where_the_shape_has_them(
    distance: Distance, volume: float, better: float, worst: float
) -> None:
    cut = marched(distance)
    sharp = sharpen(cut, 1.0)
    assert diagnose(sharp).watertight
    assert euler(sharp) == euler(cut)
    before, after = off_surface(cut, distance), off_surface(sharp, distance)
    assert before.max() > 0.15
    assert after.mean() < before.mean() / better
    assert np.quantile(after, 0.99) < worst
    assert abs(sharp.volume - volume) < abs(cut.volume - volume) / 3
    assert count_flipped(sharp, distance) == count_flipped(cut, distance) == 0


def test_a_cuboid_gets_all_its_corners_and_edges() -> None:
    sharp = sharpen(marched(cuboid(HALF)), 1.0)
    tree = cKDTree(TURN.inv().apply(sharp.vertices))
    corners = box(-HALF, HALF).vertices
    assert tree.query(corners)[0].max() < 0.01
    along = np.linspace(-1, 1, 200)[:, None] * np.array([HALF[0], 0, 0])
    for y in (-HALF[1], HALF[1]):
        for z in (-HALF[2], HALF[2]):
            gaps = tree.query(along + np.array([0, y, z]))[0]
            assert gaps.max() < 0.8
            # A vertex this near to the edge lies on it.
            near = tree.data[:, 0][
                (np.abs(tree.data[:, 1] - y) < 0.05) & (np.abs(tree.data[:, 2] - z) < 0.05)
            ]
            assert len(near) > HALF[0]


@pytest.mark.parametrize("radius", [6.0, 20.0])
def test_round_shapes_stay_as_they_are(radius: float) -> None:
    ball = marched(lambda x: np.linalg.norm(x, axis=-1) - radius)
    assert sharpen(ball, 1.0) is ball
    ring = marched(lambda x: np.hypot(np.hypot(x[..., 0], x[..., 1]) - 18, x[..., 2]) - radius / 3)
    assert sharpen(ring, 1.0) is ring


def test_edges_below_the_angle_stay_cut() -> None:
    cut = marched(cuboid(HALF))
    assert sharpen(cut, 1.0, angle=100.0) is cut
    assert sharpen(cut, 1.0, angle=80.0) is not cut


def test_away_from_edges_nothing_moves() -> None:
    cut = marched(cuboid(HALF))
    sharp = sharpen(cut, 1.0)
    kept = sharp.vertices[: len(cut.vertices)]
    local = np.abs(np.abs(TURN.inv().apply(cut.vertices)) - HALF)
    # A vertex near an edge is near two faces of the cuboid.
    far = np.sort(local, axis=1)[:, 1] > 3
    assert far.sum() > 1000
    assert np.array_equal(kept[far], cut.vertices[far])
    assert np.linalg.norm(kept - cut.vertices, axis=1).max() <= 1.0


@given(seed=st.integers(0, 2**31), share=st.sampled_from([0.05, 0.3, 0.5]), kind=st.integers(0, 2))
@settings(max_examples=30)
def test_any_mesh_stays_closed_and_keeps_its_topology(seed: int, share: float, kind: int) -> None:
    random = np.random.default_rng(seed)
    field = random.random((14, 13, 12)).astype(np.float32)
    if kind == 0:
        field = (field < share).astype(np.float32)
    elif kind == 1:
        # Cubes of two voxels: edges everywhere, most of them too short to be sharpened.
        field = np.kron(field[:7, :6, :6] < share, np.ones((2, 2, 2))).astype(np.float32)
    mesh = extract_mesh_dense(field, SampleGrid.unit(field.shape), iso_level=0.5)
    sharp = sharpen(mesh, 1 / 14)
    assert np.isfinite(sharp.vertices).all()
    assert euler(sharp) == euler(mesh)
    written = TriangleMesh(sharp.vertices.astype(np.float32), sharp.faces)
    assert diagnose(written).watertight == diagnose(mesh).watertight
    assert diagnose(written).components == diagnose(mesh).components


@pytest.mark.parametrize(("offset", "size"), [(1000.0, 1.0), (0.0, 1e-6), (-1e7, 1e4)])
def test_position_and_size_do_not_matter(offset: float, size: float) -> None:
    cut = marched(cuboid(HALF))
    here = sharpen(cut, 1.0)
    there = sharpen(TriangleMesh(cut.vertices * size + offset, cut.faces), size)
    assert np.array_equal(here.faces, there.faces)
    assert np.allclose((there.vertices - offset) / size, here.vertices, atol=1e-4)


def test_an_empty_mesh_has_no_edges() -> None:
    empty = TriangleMesh(np.empty((0, 3)), np.empty((0, 3), dtype=np.int64))
    assert sharpen(empty, 1.0) is empty


@pytest.mark.parametrize("voxel", [0.0, -1.0, float("nan"), float("inf")])
def test_a_voxel_has_a_positive_size(voxel: float) -> None:
    with pytest.raises(SettingsError, match="voxel must be > 0"):
        sharpen(box(), voxel)


@pytest.mark.parametrize("angle", [0.0, 180.0, float("nan")])
def test_an_angle_lies_between_0_and_180_degrees(angle: float) -> None:
    with pytest.raises(SettingsError, match="angle must lie in"):
        sharpen(box(), 1.0, angle=angle)


def test_progress_ascends_to_1() -> None:
    shares: list[float] = []
    sharpen(marched(cuboid(HALF)), 1.0, progress=shares.append)
    assert shares == [0.25, 0.5, 0.75, 1.0]
