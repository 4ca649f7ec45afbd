"""Download one file over a connection that may break, lie or never answer."""

from __future__ import annotations

import http.client
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from geom_miner import GeomMinerError

TIMEOUT = 10.0  # seconds to connect, and to wait for the next bytes
ATTEMPTS = 4  # a cut connection is resumed, as long as each attempt brings something
_CHUNK = 1 << 18


class DownloadError(GeomMinerError):
    """A file that could not be fetched, or is not what was asked for."""


class _Cut(Exception):
    """The connection ended before the announced number of bytes had come."""


def fetch(
    address: str,
    target: Path,
    *,
    limit: int,
    console: Console,
    timeout: float = TIMEOUT,
) -> None:
    """Download ``address`` to ``target``; the file appears only when it is complete.

    Bytes gather in ``<target>.part``, which a later call goes on from where the server supports
    ranges. An existing target is replaced.

    Parameters
    ----------
    limit : largest acceptable size in bytes.
    timeout : seconds to connect, and to wait for the next bytes.

    Raises
    ------
    DownloadError
        No connection, a refusal, a size over the limit, a connection cut again and again, a web
        page in place of the file, or a disk that takes no more.
    """
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _bar(target.name, console) as (progress, task):
            _fetch_in_attempts(address, part, limit, timeout, progress, task)
        part.replace(target)
    except urllib.error.HTTPError as error:
        error.close()
        raise DownloadError(f"{address} answered {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        reason = getattr(error.reason, "strerror", None) or error.reason
        raise DownloadError(f"no connection to {_host(address)} ({reason})") from None
    except (TimeoutError, ConnectionError, http.client.HTTPException) as error:
        reason = str(error) or type(error).__name__
        raise DownloadError(f"the connection to {_host(address)} failed ({reason})") from None
    except OSError as error:
        raise DownloadError(f"{target.name} could not be stored: {error.strerror}") from None


def _fetch_in_attempts(
    address: str, part: Path, limit: int, timeout: float, progress: Progress, task: TaskID
) -> None:
    for attempt in range(ATTEMPTS):
        before = _size(part)
        try:
            _fetch_once(address, part, limit, timeout, progress, task)
        except _Cut as cut:
            if attempt == ATTEMPTS - 1 or _size(part) <= before:
                raise DownloadError(
                    f"the connection to {_host(address)} was cut ({cut}); "
                    "what has come is kept, run the command again to go on"
                ) from None
        else:
            return


def _fetch_once(
    address: str, part: Path, limit: int, timeout: float, progress: Progress, task: TaskID
) -> None:
    have = _size(part)
    request = urllib.request.Request(address, headers={"User-Agent": "geom_miner"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        # 416: nothing lies beyond what we have. Either it is whole, or it is another file.
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE or not have:
            raise
        error.close()
        if error.headers.get("Content-Range", "").strip() == f"bytes */{have}":
            return
        part.unlink()
        raise _Cut("the server has another file than the one begun") from None
    with response:
        _refuse_page(address, response)
        start, total = _extent(response, have)
        if total is not None and total > limit:
            raise DownloadError(
                f"{address} is {total:,} bytes, more than the {limit:,} expected at most"
            )
        progress.update(task, total=total, completed=start)
        with part.open("ab" if start else "wb") as file:
            size = start
            for chunk in _chunks(response):
                size += len(chunk)
                if size > limit:
                    part.unlink()
                    raise DownloadError(f"{address} sent more than the {limit:,} bytes expected")
                file.write(chunk)
                progress.update(task, completed=size)
    if total is not None and size < total:
        raise _Cut(f"{size:,} of {total:,} bytes")


def _chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yield what comes; a connection that breaks just ends, the caller compares sizes."""
    while True:
        try:
            chunk = response.read(_CHUNK)
        except http.client.IncompleteRead as cut:
            chunk = cut.partial
        except (ConnectionError, TimeoutError) as error:
            raise _Cut(str(error) or type(error).__name__) from None
        if not chunk:
            return
        yield chunk


def _extent(response: http.client.HTTPResponse, have: int) -> tuple[int, int | None]:
    """First byte that this answer brings and the size of the whole file, None if unstated."""
    length = response.headers.get("Content-Length")
    stated = int(length) if length and length.isdigit() else None
    if response.status == http.client.PARTIAL_CONTENT:
        span = re.fullmatch(
            r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip()
        )
        if span is None or int(span[1]) != have:
            raise DownloadError("the server answered with another range than was asked for")
        return have, None if span[2] == "*" else int(span[2])
    return 0, stated


def _refuse_page(address: str, response: http.client.HTTPResponse) -> None:
    if response.headers.get_content_type() == "text/html":
        raise DownloadError(
            f"{_host(address)} sent a web page in place of the file "
            "(a confirmation form, a limit of downloads or a moved file); "
            f"open {address} in a browser to fetch it by hand"
        )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _host(address: str) -> str:
    return urllib.request.Request(address).host or address


@contextmanager
def _bar(name: str, console: Console) -> Iterator[tuple[Progress, TaskID]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield progress, progress.add_task(name, total=None)
