from .block_table import decode_states as decode_states
from .block_table import encode_states as encode_states
from .block_table import states_bits as states_bits
from .chunk import chunk_bits as chunk_bits
from .chunk import decode_chunk as decode_chunk
from .chunk import encode_chunk as encode_chunk
from .levels import BlockLevels as BlockLevels
