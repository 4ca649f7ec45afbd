from .distance_target import target_of as target_of
from .field_target import field_target as field_target
from .occupancy import Occupancy as Occupancy
from .occupancy import VoxelizeReport as VoxelizeReport
from .occupancy import voxelize_mesh as voxelize_mesh
from .settings import VoxelizeSettings as VoxelizeSettings
from .winding import WindingNumbers as WindingNumbers
from .winding import winding_numbers as winding_numbers
