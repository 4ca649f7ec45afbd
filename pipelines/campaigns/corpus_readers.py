"""A mesh file as this project, trimesh and Open3D read it: faces, area and volume of each."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import trimesh

from eval import load_open3d
from eval.runs import Record
from geom_miner import GeomMinerError, read_mesh

Mesh = tuple[npt.NDArray[Any], npt.NDArray[Any]]


def read_by_all(path: str) -> Record:
    """What every reader makes of a file, by the name of the reader."""
    return {name: _measured(reader, Path(path)) for name, reader in READERS.items()}


def measure(vertices: npt.NDArray[Any], faces: npt.NDArray[Any]) -> Record:
    """Number of faces, area, signed volume, and the center of the area as a check of the place."""
    corners = vertices[faces].astype(np.float64)
    # Volumes of meshes far from the origin lose their digits unless they are moved there.
    origin = corners.reshape(-1, 3).mean(axis=0)
    a, b, c = (corners[:, k] - origin for k in range(3))
    cross = np.cross(b - a, c - a)
    areas = np.linalg.norm(cross, axis=1) / 2
    total = float(areas.sum())
    center = ((a + b + c) / 3 * areas[:, None]).sum(axis=0) / (total or 1.0) + origin
    return {
        "faces": len(faces),
        "area": total,
        "volume": float((a * np.cross(b, c)).sum() / 6),
        "center": center.tolist(),
    }


def _measured(reader: Callable[[Path], Mesh], path: Path) -> Record:
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            logging.disable(logging.CRITICAL)
            vertices, faces = reader(path)
    except GeomMinerError as error:
        return {"refused": str(error).replace(f"{path.parent}/", "")}
    except Exception as error:
        return {"refused": f"{type(error).__name__}: {error}"[:200]}
    finally:
        logging.disable(logging.NOTSET)
    if not len(faces):
        return {"refused": "no faces"}
    return measure(vertices, faces)


def _by_us(path: Path) -> Mesh:
    mesh = read_mesh(path)
    return mesh.vertices, mesh.faces


def read_by_trimesh(path: Path) -> Mesh:
    """Vertices and faces as trimesh reads them, its scene flattened."""
    whole: Any = trimesh.load_scene(path, process=False).to_mesh()
    return np.asarray(whole.vertices), np.asarray(whole.faces)


def _by_open3d(path: Path) -> Mesh:
    open3d = load_open3d()
    mesh = open3d.io.read_triangle_mesh(str(path))
    return np.asarray(mesh.vertices), np.asarray(mesh.triangles)


READERS: dict[str, Callable[[Path], Mesh]] = {
    "ours": _by_us,
    "trimesh": read_by_trimesh,
    "open3d": _by_open3d,
}
