"""Load Open3D, an optional baseline and second opinion, without any system library."""

from __future__ import annotations

import ctypes
from types import ModuleType

from geom_miner.errors import missing_extra


def load_open3d() -> ModuleType:
    """Import Open3D. It brings its own thread library, so load it in a process of its own.

    Raises
    ------
    BackendUnavailable
        Open3D is not installed, or a library that it needs is missing.
    """
    try:
        import libusb_package
    except ImportError:
        # The system may have libusb; if not, the import below fails with a message.
        pass
    else:
        # Open3D's wheel links to libusb without bringing it. Loading it with global visibility
        # first lets the linker find it.
        ctypes.CDLL(str(libusb_package.get_library_path()), mode=ctypes.RTLD_GLOBAL)
    try:
        import open3d
    except (ImportError, OSError) as error:
        raise missing_extra(
            f"Open3D cannot be loaded ({error})", "open3d", instead="leave it out"
        ) from error
    module: ModuleType = open3d
    return module
