"""Find the mesh of a name or a path: a file, the cache, a download, or a stand-in."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from eval import View
from eval.shapes.cache import cache_folder, check_hash
from eval.shapes.catalog import CATALOG, STAND_IN_VIEWS, Scan
from eval.shapes.data_folders import DATA_VARIABLE, data_folders
from eval.shapes.download import DownloadError, fetch
from eval.shapes.stand_ins import STAND_INS
from eval.shapes.unpack import unpack_mesh
from eval.shapes.verify import check_content
from geom_miner import TriangleMesh, read_mesh
from geom_miner.errors import MeshError, SettingsError
from geom_miner.mesh import WRITABLE_MESH_SUFFIXES
from geom_miner.outputs import refuse_irregular

OFFLINE_VARIABLE = "GEOM_MINER_OFFLINE"


@dataclass(frozen=True)
class Shape:
    """A mesh, and the information about it that a report needs.

    Parameters
    ----------
    name : short name, usable in file names; a stand-in never has the name of a scan.
    title : the name as a report prints it.
    mesh : the triangles.
    source : where the mesh comes from, in one phrase, without any folder of this machine.
    stand_in : True if the mesh is made by code because the scan is not available.
    license, citation : of the scan; the citation is empty if none is known.
    view : how to view it.
    """

    name: str
    title: str
    mesh: TriangleMesh
    source: str
    stand_in: bool
    license: str
    citation: str
    view: View

    @property
    def faces(self) -> int:
        return len(self.mesh.faces)


def find_shape(name_or_path: str, *, offline: bool = False, console: Console) -> Shape:
    """Find a shape by name or path.

    It looks, in this order, for a file at the path, in the folders in GEOM_MINER_DATA, in the
    cache, and at the scan's address unless ``offline`` or GEOM_MINER_OFFLINE=1. If the scan is not
    available it uses the built-in stand-in and says so on the console.

    Raises
    ------
    MeshError
        The file cannot be used.
    SettingsError
        There is no shape of that name.
    DownloadError
        A cached file has changed.
    """
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return _from_file(path, console)
    name = name_or_path.lower()
    if name in STAND_INS:
        return _make_stand_in(name, "made by code", console)
    scan = CATALOG.get(name)
    file = _search_data_folders(scan.aliases if scan else (name,), console)
    if file is not None:
        return _from_scan_file(scan, file, console) if scan else _from_file(file, console)
    if scan is None:
        raise _unknown_shape(name_or_path)
    return _cached_or_downloaded(scan, offline or _is_offline(), console)


def _unknown_shape(name_or_path: str) -> MeshError | SettingsError:
    if Path(name_or_path).suffix or len(Path(name_or_path).parts) > 1:
        return MeshError(f"there is no file {name_or_path}; check the path")
    names = ", ".join((*CATALOG, *STAND_INS))
    return SettingsError(
        f"shape must be one of {names}, a file, or the name of a mesh in a folder named by "
        f"{DATA_VARIABLE}, got {name_or_path!r}"
    )


def _search_data_folders(aliases: tuple[str, ...], console: Console) -> Path | None:
    """The first mesh in GEOM_MINER_DATA whose stem is an alias; earlier folders and aliases win."""
    for folder in data_folders():
        if not folder.is_dir():
            console.print(
                f"{DATA_VARIABLE} names a folder that does not exist: {folder}",
                style="yellow",
            )
            continue
        candidates = [
            path
            for path in sorted(folder.iterdir())
            if path.suffix.lower() in WRITABLE_MESH_SUFFIXES and path.stem.lower() in aliases
        ]
        if candidates:
            return min(candidates, key=lambda path: aliases.index(path.stem.lower()))
    return None


def _cached_or_downloaded(scan: Scan, offline: bool, console: Console) -> Shape:
    cached = cache_folder() / scan.file
    if cached.is_file():
        check_hash(cached)
        return _from_scan_file(scan, cached, console)
    if offline:
        return _stand_in(scan, "downloads are switched off", console)
    try:
        _download_into_cache(scan, cached, console)
        return _from_scan_file(scan, cached, console)
    except DownloadError as error:
        return _stand_in(scan, str(error), console)


def _download_into_cache(scan: Scan, cached: Path, console: Console) -> None:
    """Download, unpack and check; the file ``cached`` appears only if all of it succeeds."""
    console.print(f"Downloading {scan.title} from {scan.address}")
    console.print(f"  license: {scan.license}")
    console.print(f"  please cite: {scan.citation}")
    archive = cached.with_name(cached.name + ".download")
    draft = cached.with_name(cached.name + ".unpacked")
    for path in (archive, draft, cached):
        refuse_irregular(path, DownloadError)
    if not archive.is_file():
        fetch(scan.address, archive, limit=scan.limit, console=console)
    try:
        unpack_mesh(archive, draft, limit=scan.limit)
        check_content(draft, scan)
        check_hash(draft, known_as=scan.file)
        draft.replace(cached)
    except DownloadError:
        archive.unlink(missing_ok=True)
        raise
    except OSError as error:
        raise DownloadError(f"{scan.file} could not be stored: {error.strerror}") from None
    finally:
        draft.unlink(missing_ok=True)
    archive.unlink(missing_ok=True)


def _from_scan_file(scan: Scan, path: Path, console: Console) -> Shape:
    mesh = read_mesh(path)
    source = path.name
    if scan.faces is not None and len(mesh.faces) != scan.faces:
        source += f" (a {len(mesh.faces):,}-face version, not the original {scan.faces:,})"
    console.print(f"{scan.title}: {source}")
    return Shape(
        name=scan.name,
        title=scan.title,
        mesh=mesh,
        source=source,
        stand_in=False,
        license=scan.license,
        citation=scan.citation,
        view=scan.view,
    )


def _from_file(path: Path, console: Console) -> Shape:
    mesh = read_mesh(path)
    console.print(f"{path.name}: {len(mesh.faces):,} faces")
    return Shape(
        name=path.stem,
        title=path.stem,
        mesh=mesh,
        source=path.name,
        stand_in=False,
        license="as its owner states",
        citation="",
        view=View(up="y"),
    )


def _stand_in(scan: Scan, reason: str, console: Console) -> Shape:
    console.print(
        f"No {scan.title}: {reason.rstrip('.')}. Using {scan.stand_in}, a shape made by "
        f"code, in its place; put {scan.file} into a folder named by {DATA_VARIABLE} to use it.",
        style="bold yellow",
    )
    return _make_stand_in(scan.stand_in, f"made by code, in place of {scan.title}", console)


def _make_stand_in(name: str, source: str, console: Console) -> Shape:
    mesh = STAND_INS[name]()
    console.print(f"{name}: {source}, {len(mesh.faces):,} faces")
    return Shape(
        name=name,
        title=name.replace("-", " "),
        mesh=mesh,
        source=source,
        stand_in=True,
        license="MIT, as this project",
        citation="",
        view=STAND_IN_VIEWS[name],
    )


def _is_offline() -> bool:
    return os.environ.get(OFFLINE_VARIABLE, "") not in ("", "0")
