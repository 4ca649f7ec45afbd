"""A fit that is killed or interrupted goes on; runs are repeatable to the byte."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from geom_miner.errors import ModelFileError
from geom_miner.storage import sections
from geom_miner.storage.reader import load_model
from geom_miner.storage.writer import part_path
from tests.cli.conftest import SMALL_CUBE, TINY, Run

# Scale 1 takes a moment, scale 0 some seconds: a wide window to strike in. Extra steps change the
# bytes, so all runs below share these.
SLOW = ["--scales", "2", "--block-size", "8", "--width", "16", "--depth", "2", "--seed", "3"]
SLOW += ["--coarse-steps", "20", "--steps", "400", "--block-tolerance", "0", "--device", "cpu"]
SLOW += ["--resolution", "32", "--backend", "reference"]
PATIENCE = 60.0


def start(made: Path, model: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "geom_miner", "fit", made / "sphere.ply", "-o", model, *SLOW]
    # Background jobs of a shell ignore SIGINT and hand that down; a user's terminal does not.
    return subprocess.Popen(
        list(map(str, command)),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def scales_in(path: Path) -> int:
    try:
        return sum(section.tag == "SCALE" for section in sections.walk(path))
    except ModelFileError:
        return 0


def strike_after_scale_1(made: Path, model: Path, how: signal.Signals) -> tuple[int, str]:
    """Send a signal once scale 1 is whole on disk; exit status and standard error."""
    with start(made, model) as process:
        deadline = time.monotonic() + PATIENCE
        while not scales_in(part_path(model)):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(how)
        _, errors = process.communicate(timeout=PATIENCE)
    return process.returncode, errors


@pytest.fixture(scope="module")
def uninterrupted(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = tmp_path_factory.mktemp("one_go") / "model.miner"
    with start(made, model) as process:
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    return model


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_struck_fit_goes_on_to_the_same_bytes(
    made: Path, uninterrupted: Path, tmp_path: Path, run: Run, how: signal.Signals
) -> None:
    model = tmp_path / "model.miner"
    status, errors = strike_after_scale_1(made, model, how)
    assert not model.exists()
    assert load_model(part_path(model), finest=1).finest_scale == 1
    assert "Traceback" not in errors
    if how == signal.SIGINT:
        assert status == 130
        assert errors.splitlines()[-1].startswith("interrupted; what is finished is kept")
    else:
        assert status == -signal.SIGKILL
    outcome = run("fit", made / "sphere.ply", "-o", model, *SLOW)
    assert outcome.status == 0
    assert "1 scales were there from an earlier run" in outcome.err
    assert model.read_bytes() == uninterrupted.read_bytes()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"model.miner", "model.miner.history.json"}


def test_two_runs_give_the_same_bytes(made: Path, tmp_path: Path, run: Run) -> None:
    for name in "ab":
        arguments = [*TINY, *SMALL_CUBE, "--backend", "auto"]
        outcome = run("fit", made / "sphere.ply", "-o", tmp_path / name, *arguments)
        assert outcome.status == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("arguments", [["--help"], ["fit", "--help"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    heavy = "{'torch', 'numpy', 'numba', 'scipy', 'trimesh', 'PIL'} & set(sys.modules)"
    check = (
        "import sys, contextlib\nfrom geom_miner.cli.main import main\n"
        f"with contextlib.suppress(SystemExit):\n    main({arguments!r})\n"
        f"sys.exit(' '.join({heavy}) or None)"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
