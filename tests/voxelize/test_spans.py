"""Signed crossings: winding numbers of closed surfaces, column by column."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.voxelize.columns import ColumnCast
from tests.shapes import box, joined, sphere
from tests.voxelize.test_columns import cast, crossings
from tests.voxelize.test_columns import inside as inside_of

SHAPE = (9, 11, 13)


def inside(result: ColumnCast) -> npt.NDArray[np.bool_]:
    return inside_of(result, SHAPE) > 0


def flipped(mesh: TriangleMesh) -> TriangleMesh:
    return TriangleMesh(mesh.vertices, mesh.faces[:, ::-1])


@st.composite
def boxes(draw: st.DrawFn) -> list[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], bool]]:
    """Low corner, high corner and whether flipped; off the samples, some beyond the grid."""
    drawn = []
    for _ in range(draw(st.integers(1, 6))):
        low = np.array([draw(st.integers(-2, 13)) for _ in range(3)]) + 0.37
        sides = np.array([draw(st.integers(1, 12)) for _ in range(3)])
        drawn.append((low, low + sides, draw(st.booleans())))
    return drawn


@given(drawn=boxes(), axis=st.integers(0, 2))
@settings(max_examples=150)
def test_inside_where_the_winding_number_of_boxes_is_not_0(drawn: list, axis: int) -> None:
    index = np.stack(np.indices(SHAPE), axis=-1)
    winding = np.zeros(SHAPE, dtype=int)
    for low, high, is_flipped in drawn:
        winding += ((index > low) & (index < high)).all(axis=-1) * (-1 if is_flipped else 1)
    mesh = joined(*[flipped(box(a, b)) if is_flipped else box(a, b) for a, b, is_flipped in drawn])
    result = cast(mesh, SHAPE, axis, directed=True)
    np.testing.assert_array_equal(inside(result), winding != 0)
    outside_by_parity = (winding != 0) & (winding % 2 == 0)
    assert result.overlap_samples == np.count_nonzero(outside_by_parity)
    assert (result.odd_columns, result.unbalanced_columns) == (0, 0)


@given(
    seed=st.integers(0, 2**32 - 1),
    share=st.floats(0, 1),
    flips=st.floats(0, 1),
    axis=st.integers(0, 2),
)
@settings(max_examples=60)
def test_soups_against_a_column_by_column_oracle(
    seed: int, share: float, flips: float, axis: int
) -> None:
    """Faces missing and flipped at random: the rule of the module, applied to each sample."""
    rng = np.random.default_rng(seed)
    mesh = joined(sphere(4.0, (4.2, 5.1, 6.3), 1), box((1.3, 2.4, 3.1), (6.2, 8.3, 9.4)))
    faces = mesh.faces[rng.random(len(mesh.faces)) < share]
    flip = rng.random(len(faces)) < flips
    faces[flip] = faces[flip][:, ::-1]
    result = cast(TriangleMesh(mesh.vertices, faces), SHAPE, axis, directed=True)

    corners = mesh.vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, axis]
    row, line = (a for a in range(3) if a != axis)
    expected = np.zeros(SHAPE, dtype=bool)
    overlap = odd = unbalanced = 0
    casts = [
        (crossings(TriangleMesh(mesh.vertices, faces[chosen]), SHAPE, axis), sign)
        for chosen, sign in ((normals <= 0, 1), (normals > 0, -1))
    ]
    events_of = [
        (np.split(codes >> 1, np.cumsum(counts.ravel())[:-1]), sign)
        for (counts, codes), sign in casts
    ]
    for r in range(SHAPE[row]):
        for k in range(SHAPE[line]):
            column = r * SHAPE[line] + k
            events = sorted(
                (int(sample), sign) for samples, sign in events_of for sample in samples[column]
            )
            odd += len(events) % 2
            unbalanced += sum(sign for _, sign in events) != 0
            counted = events[: len(events) // 2 * 2]
            for depth in range(SHAPE[axis]):
                below = sum(sign for sample, sign in events if sample <= depth)
                above = sum(sign for sample, sign in events if sample > depth)
                parity = sum(sample <= depth for sample, _ in counted) % 2 == 1
                index = [0, 0, 0]
                index[row], index[line], index[axis] = r, k, depth
                expected[tuple(index)] = parity or (below != 0 and above != 0)
                overlap += bool(expected[tuple(index)]) and not parity
    np.testing.assert_array_equal(inside(result), expected)
    assert result.overlap_samples == overlap
    assert (result.odd_columns, result.unbalanced_columns) == (odd, unbalanced)
    assert np.count_nonzero(result.unbalanced) == unbalanced


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("flip", [False, True])
def test_on_a_clean_shape_directions_agree_with_parity(axis: int, flip: bool) -> None:
    mesh = sphere(3.6, (4.1, 5.2, 6.3), 3)
    result = cast(flipped(mesh) if flip else mesh, SHAPE, axis, directed=True)
    plain = cast(mesh, SHAPE, axis)
    np.testing.assert_array_equal(inside(result), inside(plain))
    assert (result.columns, result.crossings) == (plain.columns, plain.crossings)
    assert result.overlap_samples == result.unbalanced_columns == plain.unbalanced_columns == 0
