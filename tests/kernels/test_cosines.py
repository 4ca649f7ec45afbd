"""Cosine blocks: the transform, the sparse fit and its rounding, and the two kernels as twins."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from geom_miner.errors import BackendUnavailable, BlockShapeError
from geom_miner.kernels.cosines import cpu, reference
from geom_miner.kernels.cosines.problem import CosineProblem, cosine_matrix

# Sizes that are written out (4, 8, 16) and sizes that go through loops, of one to four axes.
SHAPES = [(8, 8, 8), (16, 16), (4, 6), (8,), (2, 4, 2, 4)]


def sparse_rows(shape: tuple[int, ...], rows: int = 19) -> Tensor:
    """Coefficients of which one in twenty is not zero."""
    generator = torch.Generator().manual_seed(3)
    size = math.prod(shape)
    chosen = torch.rand(rows, size, generator=generator) < 0.05
    return torch.randn(rows, size, generator=generator) * chosen


def bounded(shape: tuple[int, ...], *, step: float = 0.3, iterations: int = 60) -> CosineProblem:
    """Noisy sums of few cosines whose samples above 1 have a bound on one side only."""
    generator = torch.Generator().manual_seed(5)
    values = reference.evaluate(shape, sparse_rows(shape))
    values += 0.05 * torch.randn(values.shape, generator=generator)
    upper = values.masked_fill(values > 1, math.inf)
    weights = 0.15 + 0.85 * torch.rand(values.shape, generator=generator)
    steps = torch.full((len(values),), step)
    return CosineProblem(shape, values.clamp(max=1), upper, weights, steps, 0.15, iterations)


@pytest.mark.parametrize("size", [1, 2, 6, 8, 16])
def test_the_basis_is_orthonormal(size: int) -> None:
    matrix = cosine_matrix(size)
    assert torch.allclose(matrix @ matrix.T, torch.eye(size, dtype=torch.float64), atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_evaluation_is_the_sum_of_the_cosines(shape: tuple[int, ...]) -> None:
    """Against the formula, sample by sample in float64."""
    coefficients = sparse_rows(shape, rows=3)
    expected = coefficients.double().reshape(3, *shape)
    for axis, size in enumerate(shape, 1):
        positions = torch.arange(size, dtype=torch.float64) + 0.5
        frequencies = torch.arange(size, dtype=torch.float64)[:, None]
        basis = torch.cos(math.pi * frequencies * positions / size) * math.sqrt(2 / size)
        basis[0] /= math.sqrt(2)
        expected = torch.tensordot(expected, basis, dims=([axis], [0])).movedim(-1, axis)
    for kernel in (reference, cpu):
        found = kernel.evaluate(shape, coefficients)
        assert (found.reshape(3, *shape) - expected).abs().max() < 1e-5


@pytest.mark.parametrize("shape", SHAPES)
def test_both_kernels_choose_the_same_levels(shape: tuple[int, ...]) -> None:
    problem = bounded(shape)
    assert torch.equal(cpu.fit(problem), reference.fit(problem))


@pytest.mark.parametrize("kernel", [reference, cpu])
def test_an_exact_problem_is_the_rounded_transform(kernel: type[reference]) -> None:
    shape = (8, 8)
    values = reference.evaluate(shape, sparse_rows(shape))
    steps = torch.full((len(values),), 0.25)
    problem = CosineProblem(shape, values, values, None, steps, 0.15, 60)
    scaled = sparse_rows(shape) / 0.25
    expected = torch.where(scaled.abs() > 0.65, scaled.round(), 0.0).int()
    clear = ((scaled.abs() - 0.65).abs() > 1e-3) & ((scaled - scaled.floor() - 0.5).abs() > 1e-3)
    assert clear.float().mean() > 0.95
    assert torch.equal(kernel.fit(problem)[clear], expected[clear])


def test_the_fit_is_close_and_keeps_one_sided_bounds() -> None:
    """With small steps the noise is fitted too, and samples with one bound keep to it."""
    problem = bounded((8, 8, 8), step=0.01, iterations=200)
    found = reference.evaluate((8, 8, 8), cpu.fit(problem) * 0.01)
    errors = found - found.clamp(problem.lower, problem.upper)
    assert errors.square().mean().sqrt() < 0.005
    assert (errors[problem.upper.isinf()] < -0.02).sum() == 0


def test_larger_steps_leave_fewer_levels_and_larger_errors() -> None:
    counts, errors = [], []
    for step in (0.05, 0.2, 0.8):
        problem = bounded((8, 8, 8), step=step)
        levels = cpu.fit(problem)
        values = reference.evaluate((8, 8, 8), levels * step)
        off = values - values.clamp(problem.lower, problem.upper)
        counts.append(int((levels != 0).sum()))
        errors.append(float((off.square() * problem.weights).mean()))
    assert counts == sorted(counts, reverse=True)
    assert errors == sorted(errors)


def test_a_row_does_not_depend_on_those_beside_it() -> None:
    problem = bounded((8, 8, 8))
    whole = cpu.fit(problem)
    some = torch.tensor([1, 4, 7, 18])
    part = CosineProblem(
        (8, 8, 8),
        problem.lower[some].contiguous(),
        problem.upper[some].contiguous(),
        problem.weights[some].contiguous(),
        problem.steps[some],
        problem.sparsity,
        problem.iterations,
    )
    assert torch.equal(cpu.fit(part), whole[some])


@pytest.mark.parametrize("kernel", [reference, cpu])
def test_rows_that_nothing_is_worth_have_no_levels(kernel: type[reference]) -> None:
    problem = bounded((4, 4), step=100.0)
    assert not kernel.fit(problem).any()


def test_no_rows_are_no_work() -> None:
    empty = torch.zeros(0, 16)
    assert cpu.fit(CosineProblem((4, 4), empty, empty, None, torch.zeros(0), 0.1, 5)).shape == (
        0,
        16,
    )
    assert cpu.evaluate((4, 4), empty).shape == (0, 16)


def test_wrong_shapes_are_refused() -> None:
    rows = torch.zeros(3, 16)
    with pytest.raises(BlockShapeError, match="must have shape"):
        CosineProblem((4, 5), rows, rows, None, torch.ones(3), 0.1, 5)
    with pytest.raises(BackendUnavailable, match="float32"):
        cpu.evaluate((4, 4), rows.double())
