"""One cell of a batch: a contender on a shape, with one budget and one seed."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from eval.experiment.job import Job
from eval.experiment.settings import Contender
from eval.experiment.subjects import Subject
from eval.methods import Budget
from eval.runs import Record
from geom_miner import __version__


@dataclass(frozen=True)
class Cell:
    """A contender on a subject, with one budget and one seed."""

    subject: Subject
    contender: Contender
    budget: Budget
    seed: int
    samples: int
    device: str

    @property
    def facts(self) -> Record:
        """Everything that decides the result, JSON-able; records are found again by it."""
        contender = self.contender
        drawn = contender.input == "points" and not self.subject.cloud
        return {
            "shape": self.subject.name,
            "source": self.subject.digest,
            "method": contender.method,
            "preset": contender.preset,
            "input": contender.input,
            "points": asdict(contender.points) if drawn else None,
            "ignore_normals": contender.ignore_normals,
            "budget": asdict(self.budget),
            "resolution": contender.resolution,
            "seed": self.seed,
            "samples": self.samples,
            "character": self.subject.character,
            "device": self.device,
            "version": __version__,
        }

    @property
    def mesh_file(self) -> str:
        """Where the mesh goes, relative to the run's folder; another for other facts."""
        digest = hashlib.sha256(json.dumps(self.facts, sort_keys=True).encode()).hexdigest()
        words = [self.contender.label, budget_words(self.budget), f"seed {self.seed}", digest[:8]]
        name = re.sub(r"[^\w.]+", "-", " ".join(filter(None, words)).lower())
        return f"{self.subject.name}/{name}.ply"

    @property
    def expected_seconds(self) -> float:
        """A guess, for the time left: what is fitted, and half a minute for all else."""
        return (self.budget.seconds or 30.0) + 30.0

    @property
    def words(self) -> str:
        """The cell in a few words."""
        parts = [f"{self.subject.title}: {self.contender.label}", budget_words(self.budget)]
        if len(self.contender.seeds) > 1:
            parts.append(f"seed {self.seed}")
        return ", ".join(filter(None, parts))

    def job(self, folder: Path) -> Job:
        """The work to be done for it, the mesh going into the run's folder."""
        subject, contender = self.subject, self.contender
        return Job(
            source=str(subject.file),
            cloud=subject.cloud,
            from_mesh=contender.input == "mesh",
            points=contender.points.count,
            noise=contender.points.noise * subject.diagonal,
            points_seed=contender.points.seed,
            ignore_normals=contender.ignore_normals,
            method=contender.method,
            preset=contender.preset,
            seconds=self.budget.seconds,
            steps=self.budget.steps,
            resolution=contender.resolution,
            seed=self.seed,
            device=self.device,
            mesh=str(folder / self.mesh_file),
            voxel=subject.longest / contender.resolution,
            sharp=subject.character == "sharp",
            samples=self.samples,
        )


def budget_words(budget: Budget) -> str:
    """A budget as tables name it; "" if the preset's own end holds."""
    parts = [] if budget.seconds is None else [f"{budget.seconds:g} s"]
    return ", ".join(parts if budget.steps is None else [*parts, f"{budget.steps:,} steps"])


def errors_file(mesh_file: str) -> str:
    """Where the distances of a mesh's vertices from the source go, beside the mesh."""
    return str(Path(mesh_file).with_suffix(".errors.npy"))
