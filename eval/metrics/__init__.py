"""Metrics of surfaces, occupancies and images; every convention is in the name."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
