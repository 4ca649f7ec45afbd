"""eval: how good is a reconstruction, in numbers and in pictures.

Everything here reads files or finished meshes, arrays and sparse blocks; nothing reaches into a
running fit. The names below are what most users need; the subpackages have doors of their own. All
are loaded on first use, so importing the package costs nothing.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
