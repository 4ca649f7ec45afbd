import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numba
import pytest

from geom_miner.compiled_cache import drop_if_stale, private_folder


def test_a_changed_source_takes_its_compiled_files_along(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1")
    cache = tmp_path / "__pycache__"
    assert drop_if_stale(tmp_path, "a.py")
    compiled, other = cache / "a.f-3.py311.1.nbc", cache / "b.f-3.py311.1.nbc"
    compiled.touch()
    other.touch()
    assert not drop_if_stale(tmp_path, "a.py")
    assert compiled.exists()
    (tmp_path / "a.py").write_text("x = 2")
    assert drop_if_stale(tmp_path, "a.py")
    assert not compiled.exists()
    assert other.exists()


def test_stale_files_are_dropped_where_numba_keeps_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.py").write_text("x = 1")
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "elsewhere"))
    assert drop_if_stale(tmp_path, "a.py")
    (folder,) = (tmp_path / "elsewhere").iterdir()
    compiled = folder / "a.f-3.py311.1.nbc"
    compiled.touch()
    (tmp_path / "a.py").write_text("x = 2")
    assert drop_if_stale(tmp_path, "a.py")
    assert not compiled.exists()


def test_a_private_folder_is_ours_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = private_folder()
    assert folder == tmp_path / f"geom_miner-{os.getuid()}"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert private_folder() == folder
    folder.chmod(0o755)
    assert private_folder() is None
    folder.rmdir()
    (tmp_path / "trap").mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "trap")
    assert private_folder() is None
    folder.unlink()
    folder.mkdir(mode=0o700)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    folder.rename(tmp_path / "geom_miner-12345")
    assert private_folder() is None


@pytest.mark.parametrize("writable", [True, False])
def test_code_runs_where_no_folder_of_the_package_or_the_user_can_be_written(
    tmp_path: Path, writable: bool
) -> None:
    """A file in the place of ``__pycache__`` stands for a folder that cannot be written."""
    source = "from geom_miner.compiled_cache import njit\n"
    source += "@njit(cache=True)\ndef twice(x): return 2 * x\nprint(twice(21))\n"
    (tmp_path / "script.py").write_text(source)
    (tmp_path / "__pycache__").touch()
    (tmp_path / "temporary").mkdir(mode=0o700)
    if not writable:
        (tmp_path / "temporary" / f"geom_miner-{os.getuid()}").touch()
    inherited = {
        k: v for k, v in os.environ.items() if k not in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")
    }
    done = subprocess.run(
        [sys.executable, tmp_path / "script.py"],
        env={
            **inherited,
            "HOME": "/proc/nobody",
            "TMPDIR": str(tmp_path / "temporary"),
            "PYTHONPATH": str(Path(__file__).parents[1]),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "42\n"
    words = "compiled code is kept in" if writable else "compiled in every run"
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert bool(list((tmp_path / "temporary").rglob("*.nbc"))) == writable
