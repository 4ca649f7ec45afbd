"""One module for each mesh file format.

A module lists its suffixes in ``READERS`` (``MeshReader`` by suffix) and ``WRITERS``
(``MeshWriter`` by suffix). Formats that store float32 only list their names in
``SINGLE_PRECISION``. ``geom_miner.mesh.files`` collects these tables.
"""
