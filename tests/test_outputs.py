"""What may be written where."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from geom_miner.atomic_files import new_file
from geom_miner.errors import MediaError, ModelFileError
from geom_miner.fit_sources import fit_image, fit_mesh
from geom_miner.media.arrays import write_archive
from geom_miner.media.images import write_image
from geom_miner.mesh.files import WRITABLE_MESH_SUFFIXES, read_mesh, write_mesh
from geom_miner.outputs import MADE_BY, check_output, equal_or_new, is_same_file, written_here
from tests.shapes import box
from tests.snapshots import snapshot


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("name", ["scan.ply", "SCAN.PLY", "a/../scan.ply", "hard.ply"])
def test_an_input_is_never_an_output(tmp_path: Path, name: str, force: bool) -> None:
    source = tmp_path / "scan.ply"
    source.write_bytes(b"comment geom_miner 0.1.0")
    (tmp_path / "a").mkdir()
    (tmp_path / "hard.ply").hardlink_to(source)
    with pytest.raises(MediaError, match=r"it is the input .*scan\.ply; choose another name"):
        check_output(tmp_path / name, MediaError, inputs=[source], force=force)


def test_names_are_compared_by_what_they_lead_to(tmp_path: Path) -> None:
    source, link = tmp_path / "scan.npy", tmp_path / "link.npy"
    source.write_bytes(b"")
    link.symlink_to(source)
    os.symlink(tmp_path, tmp_path / "here")
    for output in (source, tmp_path / "SCAN.npy", tmp_path / "here" / "scan.npy"):
        assert is_same_file(output, link)
    assert not is_same_file(tmp_path / "scan2.npy", source)
    assert not is_same_file(tmp_path / "none" / "scan.npy", tmp_path / "absent" / "scan.npy")
    # One letter, composed and decomposed, is one name on some systems.
    assert is_same_file(tmp_path / "\u00e9.npy", tmp_path / "e\u0301.npy")


@pytest.mark.parametrize(
    ("name", "content", "signature", "accepted"),
    [
        ("absent", None, b"", True),
        ("empty", b"", b"", True),
        ("a.ply", b"ply\ncomment geom_miner 12.3.4, level of detail 0\n", b"", True),
        ("a.ply", b"ply\ncomment by geom_miner\n", b"", False),
        ("a.npz", bytes(10_000) + b"geom_miner 0.1.0", b"", True),
        ("a.npz", bytes(10_000) + b"geom_miner 0.1.0" + bytes(10_000), b"", False),
        ("a.miner", b"\x89MINER and more", b"\x89MINER", True),
        ("a.miner", b"solid mine", b"\x89MINER", False),
    ],
)
def test_only_what_this_program_wrote_is_replaced(
    tmp_path: Path, name: str, content: bytes | None, signature: bytes, accepted: bool
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    check_output(tmp_path / name, signature=signature, force=True)
    if accepted:
        check_output(tmp_path / name, signature=signature)
        return
    with pytest.raises(ValueError, match=r"it exists and nothing in it says .* with --force$"):
        check_output(tmp_path / name, signature=signature)


def test_every_format_with_a_place_for_it_says_who_wrote_it(tmp_path: Path) -> None:
    for suffix in WRITABLE_MESH_SUFFIXES:
        path = tmp_path / f"a{suffix}"
        write_mesh(path, box(), comments=[f"{MADE_BY}, a box", "in two\nlines"])
        assert written_here(path), suffix
        assert read_mesh(path).volume == pytest.approx(1, abs=1e-6)
    for suffix in (".png", ".tif"):
        write_image(tmp_path / f"a{suffix}", np.ones((200, 300, 3), np.float32))
        assert written_here(tmp_path / f"a{suffix}")
    archive = tmp_path / "a.npz"
    write_archive(archive, values=np.arange(3))
    assert written_here(archive)
    with np.load(archive) as content:
        assert {name: content[name].tolist() for name in content.files} == {"values": [0, 1, 2]}
    assert zipfile.ZipFile(archive).testzip() is None


def test_a_folder_is_replaced_only_if_all_in_it_is_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    path.mkdir()
    parts = ("zarr.json", "c")
    check_output(path, MediaError, parts=parts)
    (path / "zarr.json").write_text('{"attributes": {"software": "geom_miner 0.1.0"}}')
    check_output(path, MediaError, parts=parts)
    (path / "notes.txt").write_text("mine")
    with pytest.raises(MediaError, match="nothing in it says"):
        check_output(path, MediaError, parts=parts)
    with pytest.raises(MediaError, match="it holds the input"):
        check_output(path, MediaError, inputs=[path / "m.miner"], parts=parts, force=True)
    with pytest.raises(MediaError, match="it is a folder; name a file in it"):
        check_output(path, MediaError, force=True)


def test_equal_bytes_replace_nothing_and_others_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"

    def write(content: bytes, *, force: bool = False) -> None:
        with equal_or_new(path, MediaError, force=force) as target:
            assert target.suffix == ".npy"
            target.write_bytes(content)

    for content, force in ((b"one", False), (b"one", False), (b"two", True)):
        write(content, force=force)
        assert snapshot(tmp_path) == {"a.npy": ("-", content)}
    with pytest.raises(MediaError, match=r"it exists with other content, .* with --force$"):
        write(b"three")
    assert snapshot(tmp_path) == {"a.npy": ("-", b"two")}


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("other")])
def test_no_file_takes_the_place_of_what_is_none(tmp_path: Path, make: object) -> None:
    (tmp_path / "other").write_bytes(b"mine")
    make(tmp_path / "a")  # type: ignore[operator]
    before = snapshot(tmp_path)
    with pytest.raises(MediaError, match=r"cannot write .*a: it is a "):  # noqa: SIM117
        with new_file(tmp_path / "a", MediaError):
            pytest.fail("it was opened")
    assert snapshot(tmp_path) == before


def test_a_fit_in_one_call_keeps_its_source(tmp_path: Path) -> None:
    mesh, image = tmp_path / "a.stl", tmp_path / "a.png"
    write_mesh(mesh, box())
    write_image(image, np.ones((8, 8, 1), np.float32))
    before = snapshot(tmp_path)
    for force in (False, True):
        with pytest.raises(ModelFileError, match="it is the input"):
            fit_mesh(mesh, mesh, force=force)
        with pytest.raises(ModelFileError, match="it is the input"):
            fit_image(image, image, force=force)
    # The notes that lie beside a model are outputs, too.
    notes = tmp_path / "m.history.json"
    notes.write_bytes(b'{"mine": 1}')
    with pytest.raises(ModelFileError, match=r"m\.history\.json: it exists"):
        fit_image(image, tmp_path / "m")
    notes.unlink()
    with pytest.raises(ModelFileError, match=r"a\.png: it exists"):
        fit_mesh(mesh, image)
    assert snapshot(tmp_path) == before
