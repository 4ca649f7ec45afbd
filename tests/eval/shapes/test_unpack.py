"""Archives are not trusted: names, links and sizes."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from eval.shapes.download import DownloadError
from eval.shapes.unpack import unpack_mesh

MESH = b"ply\nformat ascii 1.0\nelement vertex 0\nelement face 0\nend_header\n"


def tar_gz(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def zipped(path: Path, members: list[tuple[str | zipfile.ZipInfo, bytes]]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as pack:
        for name, content in members:
            pack.writestr(name, content)
    return path


def archive(kind: str, path: Path, name: str, content: bytes) -> Path:
    if kind == "tar":
        return tar_gz(path, [(tarfile.TarInfo(name), content)])
    if kind == "zip":
        return zipped(path, [(name, content)])
    path.write_bytes(gzip.compress(content) if kind == "gz" else content)
    return path


@pytest.mark.parametrize("kind", ["tar", "zip", "gz", "bare"])
def test_mesh_is_taken_out(kind: str, tmp_path: Path) -> None:
    packed = archive(kind, tmp_path / "a.download", "folder/lucy.ply", MESH)
    unpack_mesh(packed, tmp_path / "lucy.ply", limit=10**6)
    assert (tmp_path / "lucy.ply").read_bytes() == MESH


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_other_members_are_passed_over(kind: str, tmp_path: Path) -> None:
    names = ["readme.txt", "._lucy.ply", "lucy.ply", "other.ply"]
    contents = [b"hello", b"resource fork", MESH, b"second"]
    if kind == "tar":
        pairs = zip(names, contents, strict=True)
        tar_gz(tmp_path / "a", [(tarfile.TarInfo(n), c) for n, c in pairs])
    else:
        zipped(tmp_path / "a", list(zip(names, contents, strict=True)))
    unpack_mesh(tmp_path / "a", tmp_path / "out.ply", limit=10**6)
    assert (tmp_path / "out.ply").read_bytes() == MESH
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "out.ply"]


@pytest.mark.parametrize("kind", ["tar", "zip"])
@pytest.mark.parametrize("name", ["../lucy.ply", "/lucy.ply", "a/../../lucy.ply", "..\\lucy.ply"])
def test_name_that_leads_outside_is_refused(kind: str, name: str, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    packed = archive(kind, inner / "a", name, MESH)
    with pytest.raises(DownloadError, match="leads outside"):
        unpack_mesh(packed, inner / "out.ply", limit=10**6)
    assert [p.name for p in tmp_path.rglob("*.ply")] == []


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE])
def test_tar_with_a_link_or_device_is_refused(kind: bytes, tmp_path: Path) -> None:
    link = tarfile.TarInfo("lucy.ply")
    link.type, link.linkname = kind, "/etc/hostname"
    tar_gz(tmp_path / "a", [(tarfile.TarInfo("first.ply"), MESH), (link, b"")])
    with pytest.raises(DownloadError, match="link or device"):
        unpack_mesh(tmp_path / "a", tmp_path / "out.ply", limit=10**6)
    assert not (tmp_path / "out.ply").exists()


def test_zip_with_a_link_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("lucy.ply")
    link.external_attr = 0o120777 << 16
    zipped(tmp_path / "a", [(link, b"/etc/hostname")])
    with pytest.raises(DownloadError, match="link"):
        unpack_mesh(tmp_path / "a", tmp_path / "out.ply", limit=10**6)


@pytest.mark.parametrize("kind", ["tar", "zip", "gz"])
def test_bomb_is_refused_before_it_fills_the_disk(kind: str, tmp_path: Path) -> None:
    packed = archive(kind, tmp_path / "a", "lucy.ply", bytes(30_000_000))
    assert packed.stat().st_size < 100_000
    with pytest.raises(DownloadError, match="unpacks to more than 1,000,000 bytes"):
        unpack_mesh(packed, tmp_path / "out.ply", limit=10**6)
    assert not (tmp_path / "out.ply").exists()


def test_bomb_beside_the_mesh_is_refused(tmp_path: Path) -> None:
    bomb = (tarfile.TarInfo("filler.bin"), bytes(30_000_000))
    tar_gz(tmp_path / "a", [bomb, (tarfile.TarInfo("lucy.ply"), MESH)])
    with pytest.raises(DownloadError, match="unpacks to more"):
        unpack_mesh(tmp_path / "a", tmp_path / "out.ply", limit=10**6)


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_archive_without_a_mesh_is_refused(kind: str, tmp_path: Path) -> None:
    packed = archive(kind, tmp_path / "a", "readme.txt", b"hello")
    with pytest.raises(DownloadError, match="no mesh file"):
        unpack_mesh(packed, tmp_path / "out.ply", limit=10**6)


@pytest.mark.parametrize("kind", ["tar", "zip", "gz"])
def test_cut_archive_is_refused(kind: str, tmp_path: Path) -> None:
    packed = archive(kind, tmp_path / "a", "lucy.ply", bytes(range(256)) * 400)
    packed.write_bytes(packed.read_bytes()[:-60])
    with pytest.raises(DownloadError, match="damaged"):
        unpack_mesh(packed, tmp_path / "out.ply", limit=10**6)
    assert not (tmp_path / "out.ply").exists()


def test_a_sparse_member_is_bounded_by_what_it_unpacks_to(tmp_path: Path) -> None:
    hole = tarfile.TarInfo("lucy.ply")
    hole.type, hole.size = tarfile.GNUTYPE_SPARSE, 0
    block = bytearray(hole.tobuf(tarfile.GNU_FORMAT))
    block[386:482] = b"0" * 11 + b"\0" + b"0" * 11 + b"\0" + bytes(72)  # no data at all
    block[483:495] = b"\x80" + (10**12).to_bytes(11, "big")  # and a terabyte of hole
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    (tmp_path / "a").write_bytes(gzip.compress(bytes(block) + bytes(1024)))
    with pytest.raises(DownloadError, match="more than 1,000,000 bytes"):
        unpack_mesh(tmp_path / "a", tmp_path / "out.ply", limit=10**6)
    assert not (tmp_path / "out.ply").exists()


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_an_archive_of_very_many_files_is_refused(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eval.shapes.unpack._MOST_MEMBERS", 3)
    names = ["a.txt", "b.txt", "c.txt", "lucy.ply"]
    if kind == "tar":
        tar_gz(tmp_path / "a", [(tarfile.TarInfo(name), MESH) for name in names])
    else:
        zipped(tmp_path / "a", [(name, MESH) for name in names])
    with pytest.raises(DownloadError, match="more than 3 files"):
        unpack_mesh(tmp_path / "a", tmp_path / "out.ply", limit=10**6)


def test_a_long_list_of_files_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zipped(tmp_path / "a", [("lucy.ply", MESH)])
    monkeypatch.setattr("eval.shapes.unpack._LONGEST_LIST", 10)
    with pytest.raises(DownloadError, match="too long a list"):
        unpack_mesh(tmp_path / "a", tmp_path / "out.ply", limit=10**6)


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_zip_with_a_link_or_device_is_refused(mode: int, tmp_path: Path) -> None:
    link = zipfile.ZipInfo("lucy.ply")
    link.external_attr = (mode | 0o777) << 16
    zipped(tmp_path / "a", [(link, b"/etc/hostname")])
    with pytest.raises(DownloadError, match="link or device"):
        unpack_mesh(tmp_path / "a", tmp_path / "out.ply", limit=10**6)


@pytest.mark.parametrize(("flags", "method"), [(1, 0), (0, 99)])
def test_a_password_or_an_unknown_compression_is_one_sentence(
    flags: int, method: int, tmp_path: Path
) -> None:
    content = bytearray(zipped(tmp_path / "a", [("lucy.ply", MESH)]).read_bytes())
    for at in (6, content.rfind(b"PK\x01\x02") + 8):
        content[at : at + 4] = bytes([flags, 0, method, 0])
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(DownloadError, match="cannot be unpacked"):
        unpack_mesh(tmp_path / "a", tmp_path / "out.ply", limit=10**6)
