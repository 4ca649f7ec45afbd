"""A run that never ran: records with the numbers that a test wants."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eval import View
from eval.benchmark.cell import Cell
from eval.benchmark.run import BatchResult
from eval.benchmark.settings import BatchRun
from eval.benchmark.subjects import Subject
from eval.methods import Budget
from eval.runs import Record, parse_settings

MANIFEST = {
    "versions": {"geom_miner": "0.1.0", "torch": "2.0"},
    "commit": "abc123",
    "device": "a processor, 2 cores",
}


def subject(name: str, character: str = "", **changes: Any) -> Subject:
    """A mesh of diagonal 100 whose longest side is 64."""
    values: dict[str, Any] = {
        "name": name,
        "title": name.title(),
        "file": Path(f"{name}.ply"),
        "cloud": False,
        "source": f"{name}.ply",
        "stands_in_for": (),
        "terms": "License: free.",
        "character": character,
        "view": View(),
        "digest": name,
        "diagonal": 100.0,
        "longest": 64.0,
        "metadata": {"faces": 12, "watertight": True, "parts": 1, "euler": 2, "genus": 0},
        **changes,
    }
    return Subject(**values)


def scan(name: str) -> Subject:
    return subject(name, cloud=True, metadata={"points": 5000, "normals": True})


def measures(distance: float, *, cloud: bool, error: float = 0.001) -> Record:
    """Everything else follows from the distance."""
    shared = {"faces": 100, "watertight": True, "parts": 1, "euler": 2, "genus": 0}
    if cloud:
        return {
            "one_sided_scan_chamfer": distance,
            "one_sided_scan_hausdorff": 3 * distance,
            "one_sided_scan_chamfer_error": error,
            "sampling_distance": 0.01,
            "beyond_scan": distance,
            "scan_normal_error_degrees": 5.0,
            **shared,
        }
    spread = {"mean": distance, "median": distance, "p95": 2 * distance, "max": 3 * distance}
    return {
        "chamfer_l1_triangles": distance,
        "chamfer_l1_triangles_error": error,
        "chamfer_l1": distance + 0.05,
        "hausdorff": 3 * distance,
        "normal_consistency": 1 - distance / 100,
        "fscore": 1 - distance / 100,
        "sampling_distance": 0.05,
        "iou_mesh": 1 - distance / 100,
        "surface_error_voxels": spread,
        "normal_error_degrees": spread,
        "edge_error_voxels": {name: 2 * value for name, value in spread.items()},
        **shared,
    }


def made(cell: Cell, distance: float, *, total: float = 10.0, error: float = 0.001) -> Record:
    """The record of a cell whose mesh is so far from its source, in world units."""
    return {
        "cell": cell.key,
        "jobs": 1,
        "commit": "abc123",
        "failure": None,
        "title": cell.entry.method,
        "measures": measures(distance, cloud=cell.subject.cloud, error=error),
        "timings": {"prepare": 1.0, "fit": total - 2, "mesh": 1.0, "total": total},
        "peak_rss_bytes": 300_000_000,
        "parameters": 1000,
        "bytes": 4000,
        "steps": None,
        "notes": ["Made up."],
        "mesh": cell.mesh_file,
        "mesh_digest": "0123456789ab",
        "hardware": "a processor, 2 cores",
    }


def failed(cell: Cell, words: str) -> Record:
    return {"cell": cell.key, "jobs": 1, "commit": "def456", "failure": words}


def finished(
    subjects: list[Subject],
    methods: list[Any],
    outcome: Any,
    *,
    folder: Path = Path(),
    missing: tuple[str, ...] = (),
    **changes: Any,
) -> BatchResult:
    """A run of these; ``outcome(cell)`` is a distance, words of a failure, or a whole record."""
    run = parse_settings(BatchRun, {"shapes": ["ignored"], "methods": methods, **changes})
    cells, records = [], []
    for shape in subjects:
        for entry in run.methods:
            for budget in entry.budgets:
                for seed in entry.seeds:
                    cell = Cell(shape, entry, budget, seed, run.samples, "cpu")
                    found = outcome(cell)
                    if isinstance(found, str):
                        found = failed(cell, found)
                    elif not isinstance(found, dict):
                        found = made(cell, found)
                    cells.append(cell)
                    records.append(found)
    return BatchResult(run, folder, subjects, list(missing), cells, records, dict(MANIFEST))


__all__ = ["Budget", "failed", "finished", "made", "scan", "subject"]
