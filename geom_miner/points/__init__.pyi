from .signed_distance import occupancy_of as occupancy_of
from .signed_distance import signed_distance as signed_distance
from .surface import PointSurface as PointSurface
