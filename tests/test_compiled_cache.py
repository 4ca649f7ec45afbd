from pathlib import Path

from geom_miner.compiled_cache import drop_if_stale


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
