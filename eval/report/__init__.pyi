from .single_runs import collection_report as collection_report
from .single_runs import image_report as image_report
from .single_runs import shape_report as shape_report
from .table import Column as Column
from .table import Spread as Spread
from .table import Table as Table
