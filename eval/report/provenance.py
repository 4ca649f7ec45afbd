"""Sentences on where the shapes of a batch come from, and on what it was measured."""

from __future__ import annotations

from eval.benchmark.run import BatchResult
from eval.benchmark.subjects import Subject


def notices(result: BatchResult) -> list[str]:
    """A sentence for every shape that is a stand-in, or that is left out."""
    stand_ins = [
        f"{' and '.join(subject.stands_in_for)} could not be had; {subject.title}, a shape made by "
        "code, runs in its place. No figure of it says anything about the real one."
        for subject in result.subjects
        if subject.stand_in
    ]
    return [*stand_ins, *(f"Left out: {reason}." for reason in result.missing)]


def provenance(result: BatchResult) -> list[str]:
    """Hardware, settings, versions and commit, a sentence each."""
    run, records = result.run, result.records
    commits = dict.fromkeys(r["commit"] or "none, run outside a checkout" for r in records)
    hardware = dict.fromkeys(r["hardware"] for r in records if r["failure"] is None)
    if run.jobs == 1:
        pace = "one cell after another"
    else:
        pace = f"{run.jobs} cells at a time: seconds can't be compared"
    versions = (f"{name} {version}" for name, version in result.manifest["versions"].items())
    return [
        f"Hardware: {'; '.join(hardware) or result.manifest['device']}; {pace}.",
        f"Settings: {run.samples:,} samples on each surface, seed 0; a cell is ended after "
        f"{run.timeout:g} s; a run that is more than {run.failed_above:g} % of the diagonal away "
        "counts as failed.",
        f"Versions: {', '.join(versions)}.",
        f"Commit: {', '.join(commits)}.",
    ]


def source_text(subject: Subject) -> str:
    """What a shape is, where it comes from, and its topology."""
    metadata = subject.metadata
    if subject.cloud:
        normals = "with normals" if metadata["normals"] else "without normals"
        return f"{subject.source}: {metadata['points']:,} points {normals}. {subject.terms}"
    closed = "watertight" if metadata["watertight"] else "not watertight"
    genus = f", genus {metadata['genus']}" if metadata["genus"] is not None else ""
    count = metadata["parts"]
    components = f"{count} component{'' if count == 1 else 's'}"
    size = f"{metadata['faces']:,} faces"
    return f"{subject.source}: {size}, {closed}, {components}{genus}. {subject.terms}"
