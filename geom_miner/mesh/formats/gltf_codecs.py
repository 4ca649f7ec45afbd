"""Compressed parts of glTF files, decoded by optional packages (extra ``gltf``)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from geom_miner.errors import MeshError, missing_extra
from geom_miner.mesh.formats.gltf_document import DRACO, MESHOPT, DracoPrimitive, MeshoptView

# Most bytes that one compressed byte can stand for; the codec's densest blocks reach 1,024.
_MOST_EXPANSION = 2048


def decode_meshopt(data: npt.NDArray[np.uint8], view: MeshoptView) -> npt.NDArray[np.uint8]:
    """The bytes of a buffer view that meshoptimizer compressed.

    Raises
    ------
    MeshError
        The data are damaged, or promise more than so many bytes can hold.
    BackendUnavailable
        The package meshopt is missing.
    """
    try:
        import meshopt
    except ImportError as error:
        raise missing_extra(f"{MESHOPT} needs the package meshopt", "gltf") from error
    if view.count * view.byte_stride > _MOST_EXPANSION * len(data):
        raise MeshError(
            f"{MESHOPT} promises {view.count * view.byte_stride:,} bytes in {len(data):,}; "
            "the file is damaged, export it again"
        )
    if not view.count:
        return np.empty(0, np.uint8)
    try:
        rows = meshopt.decode_gltf_buffer(
            data.tobytes(), view.count, view.byte_stride, view.mode, view.filter
        )
    except (ValueError, RuntimeError, TypeError) as error:
        raise MeshError(f"its {MESHOPT} data are damaged; export it again") from error
    return np.ascontiguousarray(rows).reshape(-1).view(np.uint8)


def decode_draco(
    data: npt.NDArray[np.uint8], primitive: DracoPrimitive
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.integer]]:
    """Positions (v, 3) and triangles (f, 3) that Draco compressed.

    Raises
    ------
    MeshError
        The data are damaged, or hold no triangles.
    BackendUnavailable
        The package DracoPy is missing.
    """
    try:
        import DracoPy
    except ImportError as error:
        raise missing_extra(f"{DRACO} needs the package DracoPy", "gltf") from error
    try:
        mesh = DracoPy.decode(data.tobytes())
        position = mesh.get_attribute_by_unique_id(primitive.attributes["POSITION"])
        positions = np.asarray(position["data"], dtype=np.float64)
        faces = np.asarray(mesh.faces)
    except MemoryError:
        raise
    except Exception as error:
        # The package has an error type of its own for each stage, and raises others too.
        raise MeshError(f"its {DRACO} data are damaged; export it again") from error
    if positions.ndim != 2 or positions.shape[1:] != (3,) or faces.shape[1:] != (3,):
        raise MeshError(f"its {DRACO} data hold no triangles; export it again")
    return positions, faces
