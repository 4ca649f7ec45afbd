from .diagnose import Diagnosis as Diagnosis
from .diagnose import diagnose as diagnose
from .files import read_mesh as read_mesh
from .files import write_mesh as write_mesh
from .ply import count_ply_rows as count_ply_rows
from .ply import read_ply_vertices as read_ply_vertices
from .triangle_mesh import TriangleMesh as TriangleMesh
