"""Merging bit-identical vertices."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.mesh.weld import merge_identical_vertices
from tests.mesh.slow_diagnosis import slowly_merged
from tests.shapes import sphere


@given(
    positions=st.lists(
        st.tuples(*[st.sampled_from([-0.0, 0.0, 1.0, 1.0 + 2**-52])] * 3), min_size=3, max_size=30
    )
)
def test_equals_a_dictionary(positions: list[tuple[float, float, float]]) -> None:
    """A dictionary of positions numbers the first occurrences in the same order."""
    faces = np.stack([np.arange(len(positions) - 2) + k for k in range(3)], axis=1)
    merged = merge_identical_vertices(TriangleMesh(np.array(positions), faces))
    numbers: dict[tuple[float, ...], int] = {}
    expected = [numbers.setdefault(p, len(numbers)) for p in positions]
    np.testing.assert_array_equal(merged.faces, np.array(expected)[faces])
    np.testing.assert_array_equal(merged.vertices, np.array(list(numbers)))


def test_a_mesh_without_equal_vertices_is_returned_itself() -> None:
    mesh = sphere()
    assert merge_identical_vertices(mesh) is mesh


def test_equals_the_slow_oracle_on_many_buckets() -> None:
    rng = np.random.default_rng(0)
    positions = rng.integers(-60, 60, (200_000, 3)).astype(np.float32) * 0.37
    positions[positions == 0] *= rng.choice([-1.0, 1.0], np.count_nonzero(positions == 0))
    faces = rng.integers(0, len(positions), (300_000, 3)).astype(np.int32)
    mesh = TriangleMesh(positions, faces)
    merged, expected = merge_identical_vertices(mesh), slowly_merged(mesh)
    assert len(expected.vertices) < len(positions)
    np.testing.assert_array_equal(merged.vertices, expected.vertices)
    np.testing.assert_array_equal(np.signbit(merged.vertices), np.signbit(expected.vertices))
    np.testing.assert_array_equal(merged.faces, expected.faces)
    assert merged.faces.dtype == np.int32
