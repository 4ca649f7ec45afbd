"""One cell of a batch: a method entry on a shape, with one budget and one seed."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from eval.benchmark.job import Job
from eval.benchmark.settings import Entry
from eval.benchmark.subjects import Subject
from eval.methods.protocol import Budget
from eval.runs.records import Record
from geom_miner import __version__


@dataclass(frozen=True)
class Cell:
    """A method entry on a subject, with one budget and one seed."""

    subject: Subject
    entry: Entry
    budget: Budget
    seed: int
    samples: int
    device: str

    @property
    def key(self) -> Record:
        """Everything that decides the result, JSON-able; its record is found by it."""
        entry = self.entry
        drawn = entry.input == "points" and not self.subject.cloud
        return {
            "shape": self.subject.name,
            "source": self.subject.digest,
            "method": entry.method,
            "preset": entry.preset,
            "input": entry.input,
            "points": asdict(entry.points) if drawn else None,
            "ignore_normals": entry.ignore_normals,
            "budget": asdict(self.budget),
            "resolution": entry.resolution,
            "seed": self.seed,
            "samples": self.samples,
            "character": self.subject.character,
            "device": self.device,
            "version": __version__,
        }

    @property
    def mesh_file(self) -> str:
        """The mesh's path in the run's folder; cells with different keys have different ones."""
        digest = hashlib.sha256(json.dumps(self.key, sort_keys=True).encode()).hexdigest()
        parts = [self.entry.label, budget_text(self.budget), f"seed {self.seed}", digest[:8]]
        name = re.sub(r"[^\w.]+", "-", " ".join(filter(None, parts)).lower())
        return f"{self.subject.name}/{name}.ply"

    @property
    def expected_seconds(self) -> float:
        """An estimate for the time left: the fit, and half a minute for everything else."""
        return (self.budget.seconds or 30.0) + 30.0

    @property
    def title(self) -> str:
        """The cell as the console shows it."""
        parts = [f"{self.subject.title}: {self.entry.label}", budget_text(self.budget)]
        if len(self.entry.seeds) > 1:
            parts.append(f"seed {self.seed}")
        return ", ".join(filter(None, parts))

    def job(self, folder: Path) -> Job:
        """The work of this cell; its mesh is written into the run's folder."""
        subject = self.subject
        return Job(
            source=str(subject.file),
            cloud=subject.cloud,
            diagonal=subject.diagonal,
            entry=self.entry,
            budget=self.budget,
            seed=self.seed,
            device=self.device,
            mesh=str(folder / self.mesh_file),
            voxel=subject.longest / self.entry.resolution,
            sharp=subject.character == "sharp",
            samples=self.samples,
        )


def budget_text(budget: Budget) -> str:
    """A budget as tables show it; "" where the preset ends by itself."""
    parts = [] if budget.seconds is None else [f"{budget.seconds:g} s"]
    return ", ".join(parts if budget.steps is None else [*parts, f"{budget.steps:,} steps"])


def errors_file(mesh_file: str) -> str:
    """The file, beside a mesh, of the distances of its vertices to the source."""
    return str(Path(mesh_file).with_suffix(".errors.npy"))
