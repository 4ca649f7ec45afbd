from .occupancy import Occupancy as Occupancy
from .occupancy import VoxelizeReport as VoxelizeReport
from .occupancy import cell_coverage as cell_coverage
from .occupancy import voxelize_mesh as voxelize_mesh
from .settings import VoxelizeSettings as VoxelizeSettings
from .winding import WindingNumbers as WindingNumbers
from .winding import winding_numbers as winding_numbers
