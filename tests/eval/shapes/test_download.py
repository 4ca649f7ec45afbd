"""Downloads against a server that cuts, ignores ranges, lies or is not there."""

from __future__ import annotations

import random
import socket
from pathlib import Path

import pytest
from rich.console import Console

from eval.shapes.download import ATTEMPTS, DownloadError, fetch

CONTENT = random.Random(0).randbytes(700_000)


def test_whole_file_arrives(server, tmp_path: Path, console: Console) -> None:
    server.files["a.bin"] = CONTENT
    fetch(server.url("a.bin"), tmp_path / "new" / "a.bin", limit=10**6, console=console)
    assert (tmp_path / "new" / "a.bin").read_bytes() == CONTENT
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.bin"]


def test_cut_connection_is_resumed_at_once(server, tmp_path: Path, console: Console) -> None:
    server.files["a.bin"], server.cuts = CONTENT, [300_000, 100_000]
    fetch(server.url("a.bin"), tmp_path / "a.bin", limit=10**6, console=console)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert server.requests == [None, "bytes=300000-", "bytes=400000-"]


def test_cut_connection_is_resumed_by_a_later_call(
    server, tmp_path: Path, console: Console
) -> None:
    server.files["a.bin"], server.cuts = CONTENT, [1000] * ATTEMPTS
    with pytest.raises(DownloadError, match="run the command again"):
        fetch(server.url("a.bin"), tmp_path / "a.bin", limit=10**6, console=console)
    assert not (tmp_path / "a.bin").exists()
    assert (tmp_path / "a.bin.part").read_bytes() == CONTENT[: 1000 * ATTEMPTS]
    fetch(server.url("a.bin"), tmp_path / "a.bin", limit=10**6, console=console)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert server.requests[-1] == f"bytes={1000 * ATTEMPTS}-"


def test_server_without_ranges_starts_anew(server, tmp_path: Path, console: Console) -> None:
    server.files["a.bin"], server.ranges = CONTENT, False
    (tmp_path / "a.bin.part").write_bytes(b"x" * 5000)
    fetch(server.url("a.bin"), tmp_path / "a.bin", limit=10**6, console=console)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_whole_part_is_recognized(server, tmp_path: Path, console: Console) -> None:
    server.files["a.bin"] = CONTENT
    (tmp_path / "a.bin.part").write_bytes(CONTENT)
    fetch(server.url("a.bin"), tmp_path / "a.bin", limit=10**6, console=console)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_part_longer_than_the_file_is_dropped(server, tmp_path: Path, console: Console) -> None:
    server.files["a.bin"] = CONTENT
    (tmp_path / "a.bin.part").write_bytes(CONTENT + b"more")
    with pytest.raises(DownloadError, match="another file"):
        fetch(server.url("a.bin"), tmp_path / "a.bin", limit=10**6, console=console)
    fetch(server.url("a.bin"), tmp_path / "a.bin", limit=10**6, console=console)
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_size_over_the_limit_is_refused(server, tmp_path: Path, console: Console) -> None:
    server.files["a.bin"] = CONTENT
    with pytest.raises(DownloadError, match="more than the 1,000 expected"):
        fetch(server.url("a.bin"), tmp_path / "a.bin", limit=1000, console=console)
    assert not (tmp_path / "a.bin").exists()


def test_web_page_is_no_file(server, tmp_path: Path, console: Console) -> None:
    server.files["a.bin"], server.content_type = b"<html>confirm</html>", "text/html; charset=utf-8"
    with pytest.raises(DownloadError, match=r"sent a web page .* in a browser"):
        fetch(server.url("a.bin"), tmp_path / "a.bin", limit=10**6, console=console)


def test_missing_file_is_one_sentence(server, tmp_path: Path, console: Console) -> None:
    with pytest.raises(DownloadError, match="answered 404"):
        fetch(server.url("none"), tmp_path / "a.bin", limit=10**6, console=console)


def test_nobody_listening_is_one_sentence(tmp_path: Path, console: Console, monkeypatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DownloadError, match=r"no connection to 127\.0\.0\.1"):
        fetch(f"http://127.0.0.1:{port}/a", tmp_path / "a", limit=10, console=console)


def test_silent_server_times_out(tmp_path: Path, console: Console, monkeypatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/a"
        with pytest.raises(DownloadError, match=r"127\.0\.0\.1"):
            fetch(url, tmp_path / "a", limit=10, console=console, timeout=0.2)


def test_full_disk_is_one_sentence(server, tmp_path: Path, console: Console) -> None:
    server.files["a.bin"] = CONTENT
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DownloadError, match="could not be stored"):
        fetch(server.url("a.bin"), tmp_path / "file" / "a.bin", limit=10**6, console=console)


@pytest.mark.parametrize("scheme", ["file", "ftp", "data", "FILE"])
def test_an_address_must_be_on_the_web(scheme: str, tmp_path: Path, console: Console) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    with pytest.raises(DownloadError, match="must come by http or https"):
        fetch(f"{scheme}://{tmp_path}/secret", tmp_path / "a", limit=10, console=console)
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


@pytest.mark.parametrize("target", ["file:///etc/hostname", "ftp://127.0.0.1/a", "data:,a"])
def test_a_redirection_stays_on_the_web(
    server, tmp_path: Path, console: Console, target: str
) -> None:
    server.redirects["a.bin"] = target
    with pytest.raises(DownloadError, match=r"must come by http or https|not allowed"):
        fetch(server.url("a.bin"), tmp_path / "a", limit=10**6, console=console)
    assert list(tmp_path.iterdir()) == []


def test_a_redirection_on_the_web_is_followed(server, tmp_path: Path, console: Console) -> None:
    server.files["b.bin"], server.redirects["a.bin"] = CONTENT, server.url("b.bin")
    fetch(server.url("a.bin"), tmp_path / "a", limit=10**6, console=console)
    assert (tmp_path / "a").read_bytes() == CONTENT
