"""Signals on regular grids of any dimension: samples, blocks, sparse blocks, pyramids."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
