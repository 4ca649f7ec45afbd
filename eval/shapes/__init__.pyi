from .catalog import CATALOG as CATALOG
from .data_folders import DATA_VARIABLE as DATA_VARIABLE
from .data_folders import find_data_file as find_data_file
from .data_folders import mesh_files as mesh_files
from .find import Shape as Shape
from .find import find_shape as find_shape
from .unpack import unpack_mesh as unpack_mesh
