from .distance_field import occupancy_of as occupancy_of
from .distance_field import point_cloud_distance as point_cloud_distance
from .surface import PointSurface as PointSurface
