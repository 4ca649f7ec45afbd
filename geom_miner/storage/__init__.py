"""``model.miner``: a representation on disk, one section per scale, coarse to fine.

Sections: ``HEADER`` (JSON: grid, scales, metadata), ``SCALE`` for scales J-1 down to 0, ``END``. A
file cut after any scale still decodes that scale. Nothing is unpickled, and equal representations
give equal bytes.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
