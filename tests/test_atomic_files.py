"""Files that appear complete or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from geom_miner.atomic_files import make_folder, new_file, new_folder
from geom_miner.errors import GeomMinerError, MediaError, MeshError, SettingsError


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_new_file_takes_the_name_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "mesh.ply"
    path.write_bytes(b"earlier")
    with new_file(path, MeshError) as stream:
        stream.write(b"later")
        stream.flush()
        assert path.read_bytes() == b"earlier"
    assert contents(tmp_path) == {"mesh.ply": b"later"}


@pytest.mark.parametrize("ending", [KeyboardInterrupt(), ValueError("other"), MemoryError()])
def test_what_ends_the_writing_early_leaves_what_was(tmp_path: Path, ending: BaseException) -> None:
    path = tmp_path / "mesh.ply"
    path.write_bytes(b"earlier")

    def write() -> None:
        with new_file(path, MeshError) as stream:
            stream.write(b"half")
            raise ending

    with pytest.raises(type(ending)):
        write()
    assert contents(tmp_path) == {"mesh.ply": b"earlier"}


@pytest.mark.parametrize("error", [MeshError, MediaError])
@pytest.mark.parametrize(
    "reason", [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), OSError("8 of 9 bytes written")]
)
def test_a_full_disk_is_one_sentence_of_the_kind_asked_for(
    tmp_path: Path, error: type[GeomMinerError], reason: OSError
) -> None:
    words = reason.strerror or str(reason)
    refused = pytest.raises(error, match=f"cannot write .*a: {words}; choose a folder")
    with refused as caught, new_file(tmp_path / "a", error):
        raise reason
    assert "\n" not in str(caught.value)
    assert contents(tmp_path) == {}


def test_a_new_folder_replaces_only_folders_of_its_type(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    for text in ("one", "two"):
        with new_folder(path, MediaError, marker="marker") as folder:
            (folder / "marker").write_text(text)
            (folder / text).write_text(text)
    assert contents(tmp_path) == {"a.zarr/marker": b"two", "a.zarr/two": b"two"}
    with pytest.raises(ValueError, match="ended"), new_folder(path, MediaError, marker="marker"):
        raise ValueError("ended")
    refused = pytest.raises(MediaError, match=r"it exists and is no \.zarr folder")
    with refused, new_folder(path, MediaError, marker="other"):
        pytest.fail("it was entered")
    assert contents(tmp_path) == {"a.zarr/marker": b"two", "a.zarr/two": b"two"}


def test_a_folder_is_made_with_those_above_it(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "lucy"
    assert make_folder(folder) == make_folder(folder) == folder
    assert folder.is_dir()


def test_a_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "runs").write_bytes(b"")
    with pytest.raises(SettingsError, match=r"cannot make folder .*lucy: Not a directory"):
        make_folder(tmp_path / "runs" / "lucy")
