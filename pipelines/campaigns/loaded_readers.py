"""Loads every reader of meshes when it is imported, which takes seconds: for a process to fork."""

from __future__ import annotations

from eval import load_open3d
from geom_miner import read_mesh
from pipelines.campaigns.corpus_readers import read_by_trimesh

load_open3d()
__all__ = ["read_by_trimesh", "read_mesh"]
