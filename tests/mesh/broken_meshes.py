"""Small random meshes with every fault that diagnosis and repair handle."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from geom_miner.mesh.triangle_mesh import TriangleMesh


@st.composite
def broken_meshes(draw: st.DrawFn) -> TriangleMesh:
    """Few positions, some stored twice; duplicate, rotated, flipped and degenerate faces."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    positions = rng.integers(-1, 2, (draw(st.integers(3, 12)), 3)) * draw(
        st.sampled_from([1.0, -0.1])
    )
    faces = rng.integers(0, len(positions), (draw(st.integers(1, 60)), 3))
    again = faces[rng.integers(0, len(faces), draw(st.integers(0, 20)))]
    again = np.roll(again, draw(st.integers(0, 2)), axis=1)[:, :: draw(st.sampled_from([1, -1]))]
    dtype = draw(st.sampled_from([np.int32, np.int64]))
    return TriangleMesh(positions, np.concatenate([faces, again]).astype(dtype))
