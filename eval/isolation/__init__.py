"""Run work in a process of its own: to measure its memory, or to survive its crash."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
