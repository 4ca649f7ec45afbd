"""Fit a mesh and write every level of detail as a closed PLY mesh.

Run: python examples/mesh_levels.py part.stl meshes/ [resolution]
"""

from __future__ import annotations

import sys
from pathlib import Path

from geom_miner import extract_level, fit_mesh, write_mesh


def main(source: str, folder: str, resolution: str = "128") -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    fit = fit_mesh(source, Path(folder) / "model.miner", resolution=int(resolution))
    model = fit.representation
    for scale in range(model.num_scales):
        mesh = extract_level(model, scale)
        write_mesh(Path(folder) / f"lod_{scale}.ply", mesh)
        print(f"lod_{scale}.ply: {len(mesh.faces):,} faces")


if __name__ == "__main__":
    main(*sys.argv[1:])
