"""Download one file over a connection that may break, never answer, or send something else.

Only http and https are spoken, after a redirection too: no address leads to a file of this machine.
"""

from __future__ import annotations

import http.client
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from geom_miner import GeomMinerError
from geom_miner.outputs import refuse_irregular
from geom_miner.progress_bars import PlainColumn

TIMEOUT = 10.0  # seconds to connect, and to wait for the next bytes
ATTEMPTS = 4  # a broken download is resumed as long as each attempt brings some bytes
_CHUNK = 1 << 18


class DownloadError(GeomMinerError):
    """A file that could not be downloaded, or is not the file that was requested."""


class _ConnectionLost(Exception):
    """The connection ended before the announced number of bytes had arrived."""


def fetch(
    address: str,
    target: Path,
    *,
    limit: int,
    console: Console,
    timeout: float = TIMEOUT,
) -> None:
    """Download ``address`` to ``target``; the file appears only when it is complete.

    The bytes are collected in ``<target>.part``, from which a later call continues if the server
    supports ranges. An existing target is replaced.

    Parameters
    ----------
    limit : largest acceptable size in bytes.
    timeout : seconds to connect, and to wait for the next bytes.

    Raises
    ------
    DownloadError
        There is no connection, the server refuses, the file is larger than the limit, the
        connection breaks repeatedly, a web page comes instead of the file, or the disk is full.
    """
    part = target.with_name(target.name + ".part")
    refuse_irregular(part, DownloadError)
    _refuse_other_schemes(address)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _progress_bar(target.name, console) as (progress, task):
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
        except _ConnectionLost as lost:
            if attempt == ATTEMPTS - 1 or _size(part) <= before:
                raise DownloadError(
                    f"the connection to {_host(address)} was cut ({lost}); "
                    "the part that has arrived is kept, run the command again to go on"
                ) from None
        else:
            return


class _StayOnTheWeb(urllib.request.HTTPRedirectHandler):
    """Follow redirections to http and https alone."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        _refuse_other_schemes(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    """Opens http and https, by way of the proxies of the environment; it knows no other scheme."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        _StayOnTheWeb,
    ):
        opener.add_handler(handler())
    return opener


def _refuse_other_schemes(address: str) -> None:
    scheme = urllib.parse.urlsplit(address).scheme.lower()
    if scheme not in ("http", "https"):
        raise DownloadError(
            f"a download must come by http or https, got the address {address}; fetch the file by "
            "hand if you trust it"
        )


def _fetch_once(
    address: str, part: Path, limit: int, timeout: float, progress: Progress, task: TaskID
) -> None:
    bytes_present = _size(part)
    request = urllib.request.Request(address, headers={"User-Agent": "geom_miner"})
    if bytes_present:
        request.add_header("Range", f"bytes={bytes_present}-")
    try:
        response = _opener().open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        # 416: the file has no further bytes. Either it is complete, or it is another file.
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE or not bytes_present:
            raise
        error.close()
        if error.headers.get("Content-Range", "").strip() == f"bytes */{bytes_present}":
            return
        part.unlink()
        raise _ConnectionLost("the server has another file than the one begun") from None
    with response:
        _refuse_web_page(address, response)
        start, total = _extent(response, bytes_present)
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
        raise _ConnectionLost(f"{size:,} of {total:,} bytes")


def _chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yield the bytes that arrive; if the connection breaks, the caller notices by the size."""
    while True:
        try:
            chunk = response.read(_CHUNK)
        except http.client.IncompleteRead as incomplete:
            chunk = incomplete.partial
        except (ConnectionError, TimeoutError) as error:
            raise _ConnectionLost(str(error) or type(error).__name__) from None
        if not chunk:
            return
        yield chunk


def _extent(response: http.client.HTTPResponse, bytes_present: int) -> tuple[int, int | None]:
    """First byte of this answer, and the size of the whole file; None if it is not stated."""
    length = response.headers.get("Content-Length")
    stated = int(length) if length and length.isdigit() else None
    if response.status == http.client.PARTIAL_CONTENT:
        span = re.fullmatch(
            r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip()
        )
        if span is None or int(span[1]) != bytes_present:
            raise DownloadError("the server sent another range than was requested")
        return bytes_present, None if span[2] == "*" else int(span[2])
    return 0, stated


def _refuse_web_page(address: str, response: http.client.HTTPResponse) -> None:
    if response.headers.get_content_type() == "text/html":
        raise DownloadError(
            f"{_host(address)} sent a web page instead of the file "
            "(a confirmation form, a limit of downloads or a moved file); "
            f"open {address} in a browser to fetch it by hand"
        )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _host(address: str) -> str:
    return urllib.request.Request(address).host or address


@contextmanager
def _progress_bar(name: str, console: Console) -> Iterator[tuple[Progress, TaskID]]:
    columns = (
        PlainColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield progress, progress.add_task(name, total=None)
