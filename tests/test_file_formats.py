"""Tables of file formats: a new format is one new module, and every suffix has one owner."""

from __future__ import annotations

from pathlib import Path

import pytest

from geom_miner.file_formats import collect_formats
from geom_miner.media.images import IMAGE_SUFFIXES, WRITABLE_IMAGE_SUFFIXES
from geom_miner.media.samples import WRITERS as SAMPLE_WRITERS
from geom_miner.mesh.files import MESH_SUFFIXES, WRITABLE_MESH_SUFFIXES


def make_package(folder: Path, name: str, **modules: str) -> None:
    package = folder / name
    package.mkdir()
    (package / "__init__.py").touch()
    for module, source in modules.items():
        (package / f"{module}.py").write_text(source)


def test_the_suffixes_of_each_kind_of_file() -> None:
    assert set(MESH_SUFFIXES) == {".ply", ".obj", ".stl", ".off", ".glb", ".gltf", ".3mf"}
    assert set(WRITABLE_MESH_SUFFIXES) == set(MESH_SUFFIXES) - {".gltf", ".3mf"}
    assert set(IMAGE_SUFFIXES) == {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"}
    assert set(WRITABLE_IMAGE_SUFFIXES) == {".png", ".tif", ".tiff", ".npy"}
    assert set(SAMPLE_WRITERS) == {".npy", ".nrrd", ".zarr"}


def test_modules_need_not_be_named_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_package(
        tmp_path,
        "toy_formats",
        first="READERS = {'.a': 1}",
        helper="",
        second="READERS = {'.b': 2}\nWRITERS = {'.b': 3}",
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert collect_formats("toy_formats", "READERS") == {".a": 1, ".b": 2}
    assert collect_formats("toy_formats", "WRITERS") == {".b": 3}


def test_a_suffix_of_two_modules_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_package(
        tmp_path, "double_formats", first="READERS = {'.a': 1}", second="READERS = {'.a': 2}"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=r"every suffix once, got \.a again in second"):
        collect_formats("double_formats", "READERS")
