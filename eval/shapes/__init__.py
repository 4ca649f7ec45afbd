"""Shapes by name or path: found, downloaded, or replaced by a stand-in, which is announced."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
