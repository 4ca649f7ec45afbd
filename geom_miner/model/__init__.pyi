from .block_mlps import BlockMLPs as BlockMLPs
from .block_mlps import FittedBatch as FittedBatch
from .block_mlps import local_coordinates as local_coordinates
from .initialize import initialize_blocks as initialize_blocks
from .representation import Representation as Representation
