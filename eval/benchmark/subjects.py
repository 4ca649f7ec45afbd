"""The meshes and point clouds of a batch, found by name or path, or replaced by stand-ins."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from eval.benchmark.settings import BatchRun, ShapeEntry, ViewChanges
from eval.benchmark.topology import topology
from eval.clouds.files import CLOUD_SUFFIXES, read_cloud
from eval.clouds.point_cloud import PointCloud
from eval.pictures.view import View
from eval.shapes.catalog import CATALOG
from eval.shapes.data_folders import DATA_VARIABLE, data_folders, mesh_files
from eval.shapes.find import Shape, find_shape
from geom_miner import GeomMinerError, write_mesh
from geom_miner.atomic_files import make_folder
from geom_miner.errors import SettingsError


@dataclass(frozen=True)
class Subject:
    """A mesh or a cloud to reconstruct, and what a report states about it.

    Parameters
    ----------
    name : usable for folders, unique in the run.
    title : for reports.
    file : that the cells read.
    cloud : True if it holds points only.
    source : where it comes from, in one phrase, without any folder of this machine.
    stands_in_for : titles of the scans that it replaces; empty for a real shape.
    terms : license and citation, in one phrase.
    character : sharp, scan or "".
    view : of the pictures.
    digest : of all its numbers; identifies it.
    diagonal, longest : of its bounding box, world units.
    metadata : faces and topology of a mesh; points and normals of a cloud.
    """

    name: str
    title: str
    file: Path
    cloud: bool
    source: str
    stands_in_for: tuple[str, ...]
    terms: str
    character: str
    view: View
    digest: str
    diagonal: float
    longest: float
    metadata: dict[str, Any]

    @property
    def stand_in(self) -> bool:
        return bool(self.stands_in_for)


def gather(run: BatchRun, folder: Path, console: Console) -> tuple[list[Subject], list[str]]:
    """Find the shapes of a run; meshes are written into the run's folder for its cells.

    Returns
    -------
    The subjects, and a sentence for each one that is not available.

    Raises
    ------
    SettingsError
        None is available.
    """
    subjects: list[Subject] = []
    missing: list[str] = []
    for entry in run.shapes:
        try:
            for subject in _subjects(entry, run, folder, console):
                _add(subjects, subject)
        except GeomMinerError as error:
            missing.append(str(error).rstrip("."))
            console.print(f"left out: {error}", style="yellow", markup=False, soft_wrap=True)
    if not subjects:
        raise SettingsError(f"nothing to reconstruct: {'; '.join(missing)}")
    return subjects, missing


def _add(subjects: list[Subject], subject: Subject) -> None:
    """Add a subject; one and the same stand-in for two scans is one subject."""
    for at, other in enumerate(subjects):
        if (other.name, other.digest) == (subject.name, subject.digest):
            titles = tuple(dict.fromkeys(other.stands_in_for + subject.stands_in_for))
            subjects[at] = replace(other, stands_in_for=titles)
            return
    names = {other.name for other in subjects}
    if subject.name in names:
        raise SettingsError(
            f"two different shapes are called {subject.name}; rename one of the files"
        )
    subjects.append(subject)


def _subjects(
    entry: ShapeEntry, run: BatchRun, folder: Path, console: Console
) -> Iterator[Subject]:
    if entry.cloud is not None:
        yield _cloud(_find_cloud(entry.cloud, run.cloud_folder), entry)
    elif entry.clouds is not None:
        for path in _cloud_files(Path(entry.clouds).expanduser()):
            yield _cloud(path, entry)
    elif entry.folder is not None:
        for path in mesh_files(entry.folder).values():
            yield _mesh(find_shape(str(path), console=console), entry, folder)
    else:
        shape = find_shape(str(entry.shape), console=console)
        yield _mesh(shape, entry, folder)
        if shape.stand_in:
            instead = _first_found(entry.instead, console)
            if instead is not None:
                yield _mesh(instead, entry, folder)


def _first_found(names: Sequence[str], console: Console) -> Shape | None:
    for name in names:
        try:
            shape = find_shape(name, console=console)
        except GeomMinerError:
            continue
        if not shape.stand_in:
            return shape
    return None


def _mesh(shape: Shape, entry: ShapeEntry, folder: Path) -> Subject:
    low, high = shape.mesh.bounds
    name = _plain(shape.name)
    file = make_folder(folder / name) / "source.ply"
    write_mesh(file, shape.mesh, double=True)
    requested = CATALOG.get(str(entry.shape).lower())
    terms = f"License: {shape.license.rstrip('.')}." + (
        f" {shape.citation}." if shape.citation else ""
    )
    return Subject(
        name=name,
        title=shape.title,
        file=file,
        cloud=False,
        source=shape.source,
        stands_in_for=(requested.title,) if shape.stand_in and requested else (),
        terms=terms,
        character=entry.character,
        view=_changed(shape.view, entry.view),
        digest=_digest(shape.mesh.vertices, shape.mesh.faces.astype(np.int64)),
        diagonal=float(np.linalg.norm(high - low)),
        longest=float((high - low).max()),
        metadata={"faces": shape.faces, **topology(shape.mesh)},
    )


def _cloud(path: Path, entry: ShapeEntry) -> Subject:
    cloud = read_cloud(path)
    if cloud.ndim != 3:
        raise SettingsError(f"{path.name} has points of two dimensions; batches take three")
    low, high = cloud.bounds
    return Subject(
        name=_plain(path.stem),
        title=path.stem,
        file=path,
        cloud=True,
        source=path.name,
        stands_in_for=(),
        terms="Terms as its owner states.",
        character=entry.character,
        view=_changed(View(up="y"), entry.view),
        digest=_digest(*_arrays(cloud)),
        diagonal=cloud.diagonal,
        longest=float((high - low).max()),
        metadata={"points": len(cloud), "normals": cloud.normals is not None},
    )


def _find_cloud(name: str, further: str) -> Path:
    """A cloud by its path, or by its stem in the folders for clouds, then in those for meshes."""
    path = Path(name).expanduser()
    if path.is_file():
        return path
    data = data_folders()
    siblings = [folder.parent / "points" for folder in data]
    for folder in [*([Path(further).expanduser()] if further else []), *siblings, *data]:
        for file in _cloud_files(folder) if folder.is_dir() else []:
            if file.stem.lower() == name.lower():
                return file
    raise SettingsError(
        f"there is no point cloud {name}; give its path, or put it into a folder named by "
        f"{DATA_VARIABLE} or into a folder points beside one"
    )


def _cloud_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise SettingsError(f"{folder} is no folder; give one that holds point clouds")
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in CLOUD_SUFFIXES)


def _changed(view: View, changes: ViewChanges) -> View:
    given = {key: value for key, value in asdict(changes).items() if value is not None}
    return replace(view, **given)


def _plain(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "shape"


def _arrays(cloud: PointCloud) -> Iterator[np.ndarray[Any, np.dtype[Any]]]:
    return (array for array in (cloud.points, cloud.normals) if array is not None)


def _digest(*arrays: np.ndarray[Any, np.dtype[Any]]) -> str:
    state = hashlib.sha256()
    for array in arrays:
        state.update(f"{array.dtype}{array.shape}".encode())
        state.update(np.ascontiguousarray(array).data)
    return state.hexdigest()[:16]
