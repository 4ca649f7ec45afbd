from .block_mlps import local_coordinates as local_coordinates
from .initialize import initialize_blocks as initialize_blocks
from .representation import Representation as Representation
