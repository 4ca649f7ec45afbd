"""Merging bit-identical vertices."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.mesh.weld import merge_identical_vertices
from tests.shapes import sphere


@given(
    positions=st.lists(
        st.tuples(*[st.sampled_from([-0.0, 0.0, 1.0, 1.0 + 2**-52])] * 3), min_size=3, max_size=30
    )
)
def test_equals_a_dictionary(positions: list[tuple[float, float, float]]) -> None:
    """First occurrences in order, as a dictionary of positions would number them."""
    faces = np.stack([np.arange(len(positions) - 2) + k for k in range(3)], axis=1)
    merged = merge_identical_vertices(TriangleMesh(np.array(positions), faces))
    numbers: dict[tuple[float, ...], int] = {}
    expected = [numbers.setdefault(p, len(numbers)) for p in positions]
    np.testing.assert_array_equal(merged.faces, np.array(expected)[faces])
    np.testing.assert_array_equal(merged.vertices, np.array(list(numbers)))


def test_a_mesh_without_duplicates_comes_back_itself() -> None:
    mesh = sphere()
    assert merge_identical_vertices(mesh) is mesh
