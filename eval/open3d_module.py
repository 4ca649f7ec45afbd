"""Open3D, loaded so that it needs no system library: a second opinion, never a main path."""

from __future__ import annotations

import ctypes
from types import ModuleType

from geom_miner.errors import missing_extra


def load_open3d() -> ModuleType:
    """Import Open3D; it brings its own threads' library, so do it in a process of its own.

    Raises
    ------
    BackendUnavailable
        Open3D is not installed, or a library that it needs is missing.
    """
    try:
        import libusb_package
    except ImportError:
        # The system may have libusb; if not, the import below says so.
        pass
    else:
        # Open3D's wheel names libusb's soname without bringing the library. It is found once it
        # is loaded for all to see.
        ctypes.CDLL(str(libusb_package.get_library_path()), mode=ctypes.RTLD_GLOBAL)
    try:
        import open3d
    except (ImportError, OSError) as error:
        raise missing_extra(
            f"Open3D cannot be loaded ({error})", "open3d", instead="leave it out"
        ) from error
    module: ModuleType = open3d
    return module
