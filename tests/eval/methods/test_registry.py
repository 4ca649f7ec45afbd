"""Methods by name or by address, and requests that are refused before anything is computed."""

from __future__ import annotations

import pytest
import torch

from eval.clouds.point_cloud import PointCloud
from eval.errors import MethodError
from eval.methods import METHODS, GridSignal, Options, Source, check_request, find_method
from eval.methods.registry import check_preset
from geom_miner import SampleGrid
from geom_miner.grid import BlockGrid, SparseBlocks
from tests.eval import fake_method
from tests.eval.methods.clouds import sphere_cloud
from tests.shapes import sphere

FLAT = PointCloud([[0.0, 0], [1, 0]], [[1.0, 0], [1, 0]])
GRID = GridSignal(
    SparseBlocks.from_dense(torch.rand(16, 16, 16, 1), BlockGrid((1,) * 3, (16,) * 3)),
    SampleGrid((16,) * 3, (1.0,) * 3, (0.0,) * 3),
)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_has_its_name(name: str) -> None:
    method = find_method(name)
    assert method.name == name
    assert all(preset.summary for preset in method.presets.values())


def test_a_method_is_found_by_its_address() -> None:
    assert find_method("tests.eval.fake_method:FAKE") is fake_method.FAKE


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("igrs", "method must be one of miner, .*phase-ff, or package.module:NAME, got 'igrs'"),
        ("no.such.module:NAME", "there is no method no.such.module:NAME: No module named 'no'"),
        ("eval.methods.igr:NAME", "there is no method eval.methods.igr:NAME: module .* has no"),
    ],
)
def test_unknown_methods_are_refused(name: str, message: str) -> None:
    with pytest.raises(MethodError, match=message):
        find_method(name)


@pytest.mark.parametrize(
    ("method", "source", "message"),
    [
        ("poisson", PointCloud(sphere_cloud(9).points), "needs a normal .*, or use igr or phase"),
        ("poisson", FLAT, "works in 3 dimensions, got a source of 2; use igr or phase"),
        ("igr", sphere(), "igr takes oriented points or points, got a mesh; draw points on it"),
        ("igr", GRID, "igr takes oriented points or points, got a grid$"),
    ],
)
def test_sources_that_do_not_fit_are_refused(method: str, source: Source, message: str) -> None:
    with pytest.raises(MethodError, match=message):
        check_request(find_method(method), source, Options())


def test_what_takes_points_takes_oriented_points() -> None:
    check_request(fake_method.FAKE, sphere_cloud(9), Options("plain"))
    check_request(find_method("igr"), FLAT, Options())


def test_unknown_presets_are_refused() -> None:
    with pytest.raises(MethodError, match="preset of igr must be one of compact, paper, got 'x'"):
        check_preset(find_method("igr"), "x")
