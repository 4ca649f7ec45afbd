"""One module for each mesh file format.

A module lists its suffixes in ``READERS`` (``MeshReader`` by suffix) and ``WRITERS``
(``MeshWriter`` by suffix); ``geom_miner.mesh.files`` collects both tables.
"""
