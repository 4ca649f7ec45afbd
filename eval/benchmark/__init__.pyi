from .cell import Cell as Cell
from .run import BatchResult as BatchResult
from .run import run_batch as run_batch
from .settings import BatchRun as BatchRun
from .settings import Entry as Entry
from .settings import PointSampling as PointSampling
from .settings import ShapeEntry as ShapeEntry
from .subjects import Subject as Subject
