"""Every method that turns points, a mesh or a grid into a surface, behind one protocol."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
