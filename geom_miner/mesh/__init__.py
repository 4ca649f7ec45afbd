"""Triangle meshes: the data type, files, the cube of samples around a mesh, diagnosis."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
