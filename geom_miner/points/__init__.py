"""From oriented points to a signed distance on a grid, without a mesh and without learning."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
