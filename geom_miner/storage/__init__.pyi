from .model_file import load_model as load_model
from .model_file import save_model as save_model
from .model_file import scale_bytes as scale_bytes
