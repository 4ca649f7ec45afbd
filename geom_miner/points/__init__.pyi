from .distance_field import occupancy_of as occupancy_of
from .distance_field import signed_distance as signed_distance
from .surface import PointSurface as PointSurface
