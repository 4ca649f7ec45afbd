"""What is judged: shapes by name or path, found, downloaded, or loudly stood in for."""

from __future__ import annotations

from eval.shapes.catalog import CATALOG
from eval.shapes.data_folders import DATA_VARIABLE, find_data_file, mesh_files
from eval.shapes.find import Shape, find_shape

__all__ = ["CATALOG", "DATA_VARIABLE", "Shape", "find_data_file", "find_shape", "mesh_files"]
