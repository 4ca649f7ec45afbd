from .decimation import decimate as decimate
from .isosurface import extract_mesh as extract_mesh
from .isosurface import extract_mesh_dense as extract_mesh_dense
from .level_of_detail import extract_level as extract_level
from .level_of_detail import write_level_ply as write_level_ply
from .sharpening import sharpen as sharpen
