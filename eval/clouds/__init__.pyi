from .files import CLOUD_SUFFIXES as CLOUD_SUFFIXES
from .files import holds_cloud as holds_cloud
from .files import read_cloud as read_cloud
from .files import write_cloud as write_cloud
from .from_mesh import sample_cloud as sample_cloud
from .point_cloud import PointCloud as PointCloud
