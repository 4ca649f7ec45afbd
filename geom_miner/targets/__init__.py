"""Targets: what is fitted to a mesh, to oriented points, to an image. The only way to a Target."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
