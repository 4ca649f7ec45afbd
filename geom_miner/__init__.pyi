from .errors import GeomMinerError as GeomMinerError
from .extract import decimate as decimate
from .extract import extract_level as extract_level
from .extract import sharpen as sharpen
from .fit import PRESETS as PRESETS
from .fit import FitSettings as FitSettings
from .fit import fit_signal as fit_signal
from .fit import fit_to_file as fit_to_file
from .fit import preset as preset
from .fit_sources import fit_image as fit_image
from .fit_sources import fit_mesh as fit_mesh
from .grid import SampleGrid as SampleGrid
from .grid import Target as Target
from .media import read_image as read_image
from .media import write_image as write_image
from .mesh import TriangleMesh as TriangleMesh
from .mesh import diagnose as diagnose
from .mesh import read_mesh as read_mesh
from .mesh import write_mesh as write_mesh
from .model import Representation as Representation
from .storage import load_model as load_model
from .storage import save_model as save_model
from .targets import mesh_target as mesh_target
from .voxelize import VoxelizeSettings as VoxelizeSettings
from .voxelize import voxelize_mesh as voxelize_mesh

__version__: str
