"""The work of one cell, as it crosses into processes of its own: reconstruct, then judge the file.

Both are guarded work: see ``eval.isolation``. What a method leaves in memory cannot reach
the judge.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from eval.clouds.files import read_cloud
from eval.clouds.from_mesh import sample_cloud
from eval.clouds.point_cloud import PointCloud
from eval.errors import MethodError
from eval.experiment.judge import digest_of, errors_at_vertices, judge_by_mesh, judge_by_scan
from eval.isolation import Arrays, JsonValues, WorkOutput
from eval.methods import Budget, Contours, Options, Source, find_method
from eval.progress import StatusProgress
from eval.runs import device_name
from geom_miner import TriangleMesh, read_mesh, write_mesh


@dataclass(frozen=True)
class Job:
    """What both processes are told; nothing but numbers and words.

    Parameters
    ----------
    source : file of the mesh or, if ``cloud``, of the points.
    from_mesh : give the mesh itself; otherwise ``points`` drawn on it with ``points_seed``.
    noise : standard deviation of each drawn coordinate, world units.
    seconds, steps : the budget.
    mesh : file to write.
    voxel : what errors in voxels are relative to, world units.
    sharp : whether the source has sharp edges worth asking for.
    samples : points on each surface that the measures take.
    """

    source: str
    cloud: bool
    from_mesh: bool
    points: int
    noise: float
    points_seed: int
    ignore_normals: bool
    method: str
    preset: str
    seconds: float | None
    steps: int | None
    resolution: int
    seed: int
    device: str
    mesh: str
    voxel: float
    sharp: bool
    samples: int


def reconstruct(_: Arrays, values: JsonValues, progress: StatusProgress) -> WorkOutput:
    """Run the method of a job and save its mesh; what it cost.

    Raises
    ------
    GeomMinerError
        The method failed, or what it gave is no surface.
    """
    job = Job(**values)
    method = find_method(job.method)
    options = Options(
        preset=job.preset or next(iter(method.presets)),
        budget=Budget(job.seconds, job.steps),
        resolution=job.resolution,
        seed=job.seed,
        device=job.device,
        progress=progress,
    )
    made = method.reconstruct(_given(job), options)
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


def judge(_: Arrays, values: JsonValues, progress: StatusProgress) -> WorkOutput:
    """Measure the mesh of a job as its file has it.

    Returns
    -------
    ``errors``, the distances of its vertices from the source, (v,) float32; and the measures.

    Raises
    ------
    GeomMinerError
        The mesh can't be judged.
    """
    job = Job(**values)
    mesh = read_mesh(job.mesh)
    truth: TriangleMesh | PointCloud
    if job.cloud:
        truth = read_cloud(job.source)
        measures = judge_by_scan(mesh, truth, samples=job.samples)
    else:
        truth = read_mesh(job.source)
        measures = judge_by_mesh(mesh, truth, voxel=job.voxel, samples=job.samples, sharp=job.sharp)
    errors = errors_at_vertices(mesh, truth).astype(np.float32)
    return {"errors": errors}, {"measures": measures, "mesh_digest": digest_of(mesh)}


def _given(job: Job) -> Source:
    """What the method of a job is given."""
    if job.cloud:
        cloud = read_cloud(Path(job.source))
    else:
        mesh = read_mesh(job.source)
        if job.from_mesh:
            return mesh
        cloud = sample_cloud(mesh, job.points, job.points_seed, job.noise)
    return PointCloud(cloud.points) if job.ignore_normals else cloud
