"""Check by its first bytes whether a downloaded file is the requested scan."""

from __future__ import annotations

from pathlib import Path

from eval.shapes.catalog import Scan
from eval.shapes.download import DownloadError

_LONGEST_HEADER = 1 << 16


def ply_counts(path: Path) -> tuple[int, int] | None:
    """Vertex and face counts that a PLY header states; None if ``path`` is no PLY file."""
    with path.open("rb") as file:
        head = file.read(_LONGEST_HEADER)
    if not head.startswith(b"ply"):
        return None
    counts = {"vertex": 0, "face": 0}
    for line in head.split(b"end_header", 1)[0].splitlines():
        entries = line.split()
        if len(entries) == 3 and entries[0] == b"element" and entries[2].isdigit():
            counts[entries[1].decode("ascii", "replace")] = int(entries[2])
    return counts["vertex"], counts["face"]


def check_content(path: Path, scan: Scan) -> None:
    """Raise DownloadError if the file is a web page or has other counts than ``scan``."""
    with path.open("rb") as file:
        head = file.read(512)
    if head.lstrip().lower().startswith((b"<!doctype", b"<html")):
        raise DownloadError(
            f"a web page came instead of {scan.title}; "
            f"open {scan.address} in a browser to fetch it by hand"
        )
    if scan.vertices is None or scan.faces is None:
        return
    counts = ply_counts(path)
    if counts != (scan.vertices, scan.faces):
        got = "no PLY file" if counts is None else f"{counts[0]:,} vertices, {counts[1]:,} faces"
        raise DownloadError(
            f"the download is not {scan.title}: expected {scan.vertices:,} vertices and "
            f"{scan.faces:,} faces, got {got}"
        )
