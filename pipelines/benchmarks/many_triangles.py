"""What a mesh of many triangles costs to read and voxelize, and what Open3D says of the result."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from eval import load_open3d
from eval.runs import peak_rss_bytes
from eval.shapes import find_shape
from geom_miner import (
    SampleGrid,
    TriangleMesh,
    VoxelizeSettings,
    diagnose,
    read_mesh,
    voxelize_mesh,
    write_mesh,
)
from geom_miner.terminal import Terminal
from geom_miner.voxelize import Occupancy, winding_numbers
from pipelines.benchmarks.warm_up import warm_up

# Samples that Open3D is asked at once.
_CHUNK = 1 << 22

# Samples in dispute that exact winding numbers judge: faces times samples is their cost.
_MOST_JUDGED = 1000

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def shape_mesh(shape: str) -> TriangleMesh:
    """The shape as the pipelines find it, without a word."""
    return find_shape(shape, offline=True, console=Terminal(quiet=True)).mesh


def write_subdivided(shape: str, times: int, path: Path) -> None:
    """Cut every triangle into four by its edges' midpoints, again and again."""
    mesh = shape_mesh(shape)
    vertices, faces = mesh.vertices, mesh.faces.astype(np.int64)
    for _ in range(times):
        ends = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]], axis=2)
        keys, where = np.unique(ends[..., 0] * len(vertices) + ends[..., 1], return_inverse=True)
        middles = 0.5 * (vertices[keys // len(vertices)] + vertices[keys % len(vertices)])
        ab, bc, ca = where.reshape(-1, 3).T + len(vertices)
        a, b, c = faces.T
        cut = ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))
        faces = np.concatenate([np.stack(corners, axis=1) for corners in cut])
        vertices = np.concatenate([vertices, middles])
    write_mesh(path, TriangleMesh(vertices, faces))


def measure_triangles(
    path: Path, resolution: int, preset_name: str, samples: int, answers: Path
) -> dict[str, Any]:
    """Read and voxelize a mesh in this process, which has done nothing else.

    Parameters
    ----------
    samples : of the grid, all if it has no more; with our answers they are written to ``answers``
        after everything is measured. 0 writes none.
    """
    base = warm_up(preset_name)
    began, cpu = time.perf_counter(), time.process_time()
    mesh = read_mesh(path)
    read, read_cpu = time.perf_counter() - began, time.process_time() - cpu
    occupancy = voxelize_mesh(mesh, VoxelizeSettings(resolution=resolution))
    facts = {
        "faces": len(mesh.faces),
        "resolution": resolution,
        "read_seconds": read,
        "read_cpu_seconds": read_cpu,
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - cpu,
        "voxelizing_seconds": occupancy.report.seconds,
        "array_bytes": mesh.vertices.nbytes + mesh.faces.nbytes,
        "base_rss_bytes": base,
        "peak_rss_bytes": peak_rss_bytes(),
        "report": asdict(occupancy.report),
    }
    cpu = time.process_time()
    diagnose(mesh)
    facts["diagnosis_cpu_seconds"] = time.process_time() - cpu
    if samples:
        _write_answers(occupancy, samples, answers)
    return facts


def ask_open3d(path: Path, answers: Path, judge: str) -> dict[str, Any]:
    """Ask Open3D about the samples that were written, in this process, which needs no Numba.

    Parameters
    ----------
    path : the mesh as it was voxelized.
    judge : the shape whose exact winding numbers decide where the two differ.
    """
    open3d = load_open3d()
    mesh = read_mesh(path)
    with np.load(answers, allow_pickle=False) as saved:
        index, ours, near = saved["index"], saved["inside"], saved["near"]
        n = int(saved["resolution"])
        grid = SampleGrid((n, n, n), tuple(saved["spacing"]), tuple(saved["origin"]))
    cpu = time.process_time()
    scene = open3d.t.geometry.RaycastingScene()
    scene.add_triangles(
        open3d.core.Tensor(mesh.vertices.astype(np.float32)),
        open3d.core.Tensor(mesh.faces.astype(np.uint32)),
    )
    # The scene is built when it is first asked.
    scene.compute_occupancy(open3d.core.Tensor(np.zeros((1, 3), np.float32)))
    scene_seconds = time.process_time() - cpu
    theirs = np.empty(len(index), dtype=bool)
    seconds = {False: 0.0, True: 0.0}
    for stratum in seconds:
        rows = np.flatnonzero(near == stratum)
        for first in range(0, len(rows), _CHUNK):
            chunk = rows[first : first + _CHUNK]
            points = open3d.core.Tensor(_positions(grid, index[chunk]))
            cpu = time.process_time()
            answer = scene.compute_occupancy(points)
            seconds[stratum] += time.process_time() - cpu
            theirs[chunk] = answer.numpy() > 0.5
    differ = np.flatnonzero(ours != theirs)
    away = scene.compute_distance(open3d.core.Tensor(_positions(grid, index[differ]))).numpy()
    judged = np.random.default_rng(0).permutation(differ)[:_MOST_JUDGED]
    exact = _exactly_inside(judge, grid, index[judged])
    return {
        "version": open3d.__version__,
        "samples": len(index),
        "samples_near": int(near.sum()),
        "scene_cpu_seconds": scene_seconds,
        "cpu_seconds_near": seconds[True],
        "cpu_seconds_anywhere": seconds[False],
        "cpu_seconds_per_sample": seconds[False] / max(1, int((~near).sum())),
        "differing": len(differ),
        "differing_near": int(near[differ].sum()),
        "farthest_difference_voxels": float(away.max(initial=0.0) / grid.spacing[0]),
        "judged": len(judged),
        "ours_right": int((exact == ours[judged]).sum()),
    }


def _write_answers(occupancy: Occupancy, samples: int, path: Path) -> None:
    """Samples with our answers: all, or half from whole columns, half from surface blocks."""
    grid, blocks = occupancy.grid, occupancy.blocks
    n, rng = grid.shape[0], np.random.default_rng(0)
    if n**3 <= samples:
        index = np.indices(grid.shape).reshape(3, -1).T
        near = np.zeros(len(index), dtype=bool)
    else:
        # In the grid's order, since rays that start side by side are cheaper.
        lines = np.sort(rng.choice(n * n, max(1, samples // 2 // n), replace=False))
        flat = (lines[:, None] * n + np.arange(n)).reshape(-1)
        columns = np.stack(np.unravel_index(flat, grid.shape), axis=1)
        starts = blocks.layout.starts_of(blocks.ids).numpy()
        block = np.sort(rng.integers(0, len(starts), samples // 2))
        beside = starts[block] + rng.integers(0, blocks.layout.block_shape, (len(block), 3))
        beside = beside[(beside < n).all(axis=1)]
        index = np.concatenate([columns, beside])
        near = np.arange(len(index)) >= len(columns)
    inside = np.concatenate(
        [
            blocks.read(torch.from_numpy(some), (1, 1, 1)).reshape(-1).numpy() > 0.5
            for some in _chunks(index)
        ]
    )
    np.savez(
        path,
        index=index.astype(np.int32),
        inside=inside,
        near=near,
        resolution=n,
        spacing=grid.spacing,
        origin=grid.origin,
    )


def _chunks(index: Ints) -> Iterator[Ints]:
    for first in range(0, len(index), _CHUNK):
        yield np.ascontiguousarray(index[first : first + _CHUNK])


def _positions(grid: SampleGrid, index: Ints) -> npt.NDArray[np.float32]:
    return grid.index_to_world(index).astype(np.float32)


def _exactly_inside(shape: str, grid: SampleGrid, index: Ints) -> Bools:
    """By exact winding numbers at the very samples, not at what float32 makes of them."""
    if not len(index):
        return np.zeros(0, dtype=bool)
    exact = winding_numbers(shape_mesh(shape), grid.index_to_world(index), exact=True)
    return np.abs(exact) > 0.5


def triangles_report(rows: dict[str, dict[str, Any]], samples: int) -> list[str]:
    """Markdown lines; ``rows`` are meshes by name, each with Open3D's answers where asked."""
    if not rows:
        return []
    lines = [
        "## Many triangles, and Open3D",
        "",
        "Times with reading and diagnosis, after everything is compiled. Peak: resident memory of "
        "the process; base: the part that the interpreter and its packages take; arrays: vertices "
        "and faces as held.",
        "",
        "| mesh | triangles | resolution | read, s | all, s | CPU s | arrays, GiB | base, GiB "
        "| peak, GiB | peak / arrays | (peak - base) / arrays |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, row in rows.items():
        arrays, base, peak = (row[f"{k}_bytes"] for k in ("array", "base_rss", "peak_rss"))
        sizes = " | ".join(f"{size / 2**30:.2f}" for size in (arrays, base, peak))
        lines.append(
            f"| {name} | {row['faces']:,} | {row['resolution']} | {row['read_seconds']:.1f} "
            f"| {row['seconds']:.1f} | {row['cpu_seconds']:.1f} | {sizes} "
            f"| {peak / arrays:.2f} | {(peak - base) / arrays:.2f} |"
        )
    asked = {name: row for name, row in rows.items() if row.get("open3d")}
    if asked:
        lines += [
            "",
            "Open3D's `compute_occupancy` on the same samples: all of a grid that has no more than "
            f"{max(samples, 256**3):,}, otherwise half of {samples:,} in whole columns anywhere "
            "and half in blocks that the surface crosses. CPU seconds a voxel: Open3D's are those "
            "of the samples anywhere, its scene apart; ours are without reading, and with and "
            "without the diagnosis, which Open3D does not make. Where the two differ, exact "
            "winding numbers of the uncut mesh tell who is right.",
            "",
            "| mesh | samples | scene, CPU s | Open3D, CPU us a voxel | ours with diagnosis "
            "| ratio | ours without | ratio | agree | differing "
            "| farthest from the surface, voxels | judged | ours right |",
            "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
        ]
    for name, row in asked.items():
        found = row["open3d"]
        all_of_ours = (row["cpu_seconds"] - row["read_cpu_seconds"]) / row["resolution"] ** 3
        ours = all_of_ours - row["diagnosis_cpu_seconds"] / row["resolution"] ** 3
        theirs, share = found["cpu_seconds_per_sample"], found["differing"] / found["samples"]
        lines.append(
            f"| {name} | {found['samples']:,} | {found['scene_cpu_seconds']:.1f} "
            f"| {1e6 * theirs:.3f} | {1e6 * all_of_ours:.4f} | {theirs / all_of_ours:.0f} "
            f"| {1e6 * ours:.4f} | {theirs / ours:.0f} | {1 - share:.6%} "
            f"| {found['differing']:,} | {found['farthest_difference_voxels']:.5f} "
            f"| {found['judged']:,} | {found['ours_right']:,} |"
        )
    return [*lines, ""]
