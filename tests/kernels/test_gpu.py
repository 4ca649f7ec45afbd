"""The fused GPU kernel: interpreted, compiled for a GPU that need not be there, and run on one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from geom_miner.errors import BackendUnavailable
from geom_miner.kernels import load_backend, resolve_backend
from geom_miner.kernels.architecture import MLPArchitecture
from tests.kernels.gpu_cases import CASES

needs_triton = pytest.mark.skipif(
    find_spec("triton") is None, reason="triton is not installed (geom_miner[gpu])"
)
CUDA = torch.device("cuda")


@pytest.fixture(scope="module")
def interpreted() -> dict[str, str | None]:
    """Each case's error in Triton's interpreter, all run by one process of its own."""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "tests.kernels.gpu_cases"],
        cwd=root,
        env={**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    outcome: dict[str, str | None] = json.loads(done.stdout)
    return outcome


@needs_triton
@pytest.mark.parametrize("name", CASES)
def test_interpreted(name: str, interpreted: dict[str, str | None]) -> None:
    assert interpreted[name] is None, interpreted[name]


@needs_triton
@pytest.mark.gpu
@pytest.mark.parametrize("name", CASES)
def test_on_a_device(name: str) -> None:
    CASES[name](load_backend("gpu", CUDA), "cuda")


@needs_triton
@pytest.mark.parametrize("dims", [(3, 16, 2, 1), (2, 18, 3, 3), (4, 4, 1, 2)], ids=str)
def test_programs_compile_for_a_gpu_in_full_precision(
    dims: tuple[int, int, int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Machine code for compute capability 9.0, without tensor cores' shortened float32."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from geom_miner.kernels import gpu

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    scalars = {"steps": "*i64", "rates": "*fp64", "powers": "*fp64"}
    scalars |= {"samples": "i32", "num_rates": "i32"}
    constants = gpu._options(MLPArchitecture(*dims, 30.0)) | {"SPAN": 1024}
    launch = {name: constants.pop(name) for name in list(constants) if name.islower()}
    for program in (gpu.train_program, gpu.evaluate_program):
        names = program.arg_names
        types = {
            name: "constexpr" if name in constants else scalars.get(name, "*fp32") for name in names
        }
        values = {(names.index(k),): value for k, value in constants.items() if k in names}
        made = triton.compile(
            ASTSource(program, types, values), target=GPUTarget("cuda", 90, 32), options=launch
        )
        assert made.asm["cubin"]
        assert "fma.rn.f32" in made.asm["ptx"]
        assert "mma.sync" not in made.asm["ptx"]
        assert made.metadata.shared <= 48 * 1024


@needs_triton
@pytest.mark.skipif("TRITON_INTERPRET" in os.environ, reason="kernels are interpreted")
def test_tensors_on_the_cpu_are_refused() -> None:
    architecture = MLPArchitecture(1, 4, 1, 1, 1.0)
    with pytest.raises(BackendUnavailable, match=r"CUDA device, got torch\.float32 on cpu"):
        load_backend("gpu", CUDA).evaluate(
            architecture, torch.zeros(1, architecture.num_parameters), torch.zeros(2, 1)
        )


def test_without_triton_the_backend_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.delitem(sys.modules, "geom_miner.kernels.gpu", raising=False)
    with pytest.raises(BackendUnavailable, match=r"geom_miner\[gpu\]"):
        load_backend("gpu", CUDA)


def test_an_unproven_kernel_has_to_be_asked_for() -> None:
    assert resolve_backend("auto", CUDA) == "reference"
    assert resolve_backend("gpu", CUDA) == "gpu"
