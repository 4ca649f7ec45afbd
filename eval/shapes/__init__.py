"""What is judged: shapes by name or path, found, downloaded, or loudly stood in for."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
