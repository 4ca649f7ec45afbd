"""The work of one cell, in two processes of its own: reconstruct, then evaluate the mesh's file.

Both are guarded work; see ``eval.isolation``. Whatever a method leaves in memory cannot
affect the evaluation.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from eval.benchmark.evaluate import (
    digest_of,
    errors_at_vertices,
    evaluate_against_mesh,
    evaluate_against_scan,
)
from eval.benchmark.settings import Entry
from eval.clouds.files import read_cloud
from eval.clouds.from_mesh import sample_cloud
from eval.clouds.point_cloud import PointCloud
from eval.errors import MethodError
from eval.isolation import Arrays, JsonValues, WorkOutput
from eval.methods.protocol import Budget, Contours, Options, Source
from eval.methods.registry import find_method
from eval.progress import StatusProgress
from eval.runs.config_file import parse_settings
from eval.runs.provenance import device_name
from geom_miner import TriangleMesh, read_mesh, write_mesh


@dataclass(frozen=True)
class Job:
    """What both processes are given; it crosses as JSON.

    Parameters
    ----------
    source : file of the mesh or, if ``cloud``, of the points.
    diagonal : of the source's bounding box, world units.
    mesh : file to write.
    voxel : unit of errors in voxels, world units.
    sharp : whether errors at the source's sharp edges are measured.
    samples : points on each surface that the measures take.
    """

    source: str
    cloud: bool
    diagonal: float
    entry: Entry
    budget: Budget
    seed: int
    device: str
    mesh: str
    voxel: float
    sharp: bool
    samples: int


def reconstruct(_: Arrays, values: JsonValues, progress: StatusProgress) -> WorkOutput:
    """Run the method of a job and write its mesh; gives what it cost.

    Raises
    ------
    GeomMinerError
        The method failed or gave no surface.
    """
    job = parse_settings(Job, values)
    method = find_method(job.entry.method)
    options = Options(
        preset=job.entry.preset or next(iter(method.presets)),
        budget=job.budget,
        resolution=job.entry.resolution,
        seed=job.seed,
        device=job.device,
        progress=progress,
    )
    made = method.reconstruct(_input(job), options)
    surface = made.surface
    if isinstance(surface, Contours) or not len(surface.faces) or not surface.area > 0:
        raise MethodError("no surface came out")
    write_mesh(job.mesh, surface)
    return {}, {
        "title": method.title,
        "timings": {**asdict(made.timings), "total": made.timings.total},
        "peak_rss_bytes": made.peak_rss_bytes,
        "parameters": made.parameters,
        "bytes": made.bytes,
        "steps": made.steps,
        "notes": list(made.notes),
        "hardware": device_name(job.device),
    }


def evaluate(_: Arrays, values: JsonValues, progress: StatusProgress) -> WorkOutput:
    """Measure the mesh of a job as read back from its file.

    Returns
    -------
    ``errors``, the distances of its vertices to the source, (v,) float32; and the measures.

    Raises
    ------
    GeomMinerError
        The mesh can't be measured.
    """
    job = parse_settings(Job, values)
    mesh = read_mesh(job.mesh)
    truth: TriangleMesh | PointCloud
    if job.cloud:
        truth = read_cloud(job.source)
        measures = evaluate_against_scan(mesh, truth, samples=job.samples)
    else:
        truth = read_mesh(job.source)
        measures = evaluate_against_mesh(
            mesh, truth, voxel=job.voxel, samples=job.samples, sharp=job.sharp
        )
    errors = errors_at_vertices(mesh, truth).astype(np.float32)
    return {"errors": errors}, {"measures": measures, "mesh_digest": digest_of(mesh)}


def _input(job: Job) -> Source:
    """The input of the method of a job."""
    points = job.entry.points
    if job.cloud:
        cloud = read_cloud(job.source)
    else:
        mesh = read_mesh(job.source)
        if job.entry.input == "mesh":
            return mesh
        cloud = sample_cloud(mesh, points.count, points.seed, points.noise * job.diagonal)
    return PointCloud(cloud.points) if job.entry.ignore_normals else cloud
