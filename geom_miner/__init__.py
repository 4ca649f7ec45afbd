"""geom_miner: huge 3D shapes and images as multiscale sets of tiny neural networks.

The names below are what most users need; the subpackages have doors of their own. All are loaded
on first use, so importing the package costs nothing.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
