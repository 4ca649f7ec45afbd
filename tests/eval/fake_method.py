"""A method that only records its calls, for tests of the code around methods."""

from __future__ import annotations

import numpy as np

from eval.clouds.point_cloud import PointCloud
from eval.errors import MethodError
from eval.methods import (
    Contours,
    MethodPreset,
    Options,
    Reconstruction,
    Source,
    SourceKind,
    Timings,
)
from geom_miner import TriangleMesh
from tests.shapes import box

LINE = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])


class FakeMethod:
    """Gives a box, or two lines in two dimensions."""

    def __init__(self, *kinds: SourceKind) -> None:
        self.name = "fake"
        self.title = "Fake (Nobody 1999)"
        self.takes: frozenset[SourceKind] = frozenset(kinds)
        self.presets = {
            "plain": MethodPreset("a box"),
            "broken": MethodPreset("an error"),
            "interrupted": MethodPreset("an interrupt"),
        }
        self.dimensions: tuple[int, ...] = (2, 3)
        self.calls: list[tuple[Source, Options]] = []

    def reconstruct(self, source: Source, options: Options) -> Reconstruction:
        self.calls.append((source, options))
        if options.preset == "broken":
            raise MethodError("no surface came out; try another day")
        assert options.progress is not None
        assert options.checkpoint is not None
        options.progress(0.5, "half a box")
        if options.budget.steps:
            options.checkpoint.with_name(f"{options.checkpoint.name}.part").write_text("half")
        if options.preset == "interrupted":
            raise KeyboardInterrupt
        options.progress(1.0, "a box")
        surface: TriangleMesh | Contours = box()
        if isinstance(source, PointCloud) and source.ndim == 2:
            surface = Contours((LINE, 2 * LINE))
        return Reconstruction(
            surface=surface,
            timings=Timings(1.0, 20.0, 0.5),
            peak_rss_bytes=123_000_000,
            parameters=4567 if options.budget.steps else None,
            bytes=89_000,
            steps=options.budget.steps,
            notes=("A box is all it knows.",),
        )


FAKE = FakeMethod("oriented points", "points")
FAKE_OF_MESHES = FakeMethod("mesh", "oriented points")
