from .header import Header as Header
from .reader import describe_model as describe_model
from .reader import load_model as load_model
from .reader import scale_bytes as scale_bytes
from .sections import DIGESTS as DIGESTS
from .sections import SIGNATURE as SIGNATURE
from .writer import ModelWriter as ModelWriter
from .writer import save_model as save_model
