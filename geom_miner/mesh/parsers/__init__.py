"""Compiled loops over the bytes and numbers of mesh files.

The readers of ``geom_miner.mesh.formats`` import these modules on first use: Numba takes a while
to load.
"""
