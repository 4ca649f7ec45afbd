"""Triangles of one glTF mesh: primitives of every mode, morph targets and skins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from geom_miner.errors import MeshError
from geom_miner.mesh.formats.gltf_buffers import Buffers
from geom_miner.mesh.formats.gltf_codecs import decode_draco
from geom_miner.mesh.formats.gltf_document import DRACO, Document, Primitive, Skin, pick

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer]

# Modes of a primitive, as the specification numbers them.
_LESS_THAN_TRIANGLES = {0: "points", 1: "lines", 2: "line loops", 3: "line strips"}
_TRIANGLES, _STRIP, _FAN = 4, 5, 6


@dataclass(frozen=True)
class Part:
    """Triangles of one primitive.

    Parameters
    ----------
    positions : (v, 3) float64; all of them are used.
    faces : (f, 3) int32, counter-clockwise seen from outside.
    """

    positions: Floats
    faces: npt.NDArray[np.int32]


def what_is_no_surface(primitive: Primitive) -> str | None:
    """What a primitive without triangles consists of; None if it has triangles.

    Raises
    ------
    MeshError
        The specification has no such mode.
    """
    if primitive.mode > _FAN:
        raise MeshError(f"a primitive has the unknown mode {primitive.mode}; export it again")
    return _LESS_THAN_TRIANGLES.get(primitive.mode)


def read_part(
    primitive: Primitive,
    weights: Sequence[float],
    joints: Floats | None,
    document: Document,
    buffers: Buffers,
) -> Part:
    """Read a primitive of triangles, moved as its morph targets and its skin say.

    Parameters
    ----------
    weights : of the morph targets; missing ones are 0.
    joints : (j, 4, 4), from the mesh to the scene for each joint of its skin; None without a skin.

    Raises
    ------
    MeshError
        An attribute is missing, damaged, or does not fit the others.
    """
    if "POSITION" not in primitive.attributes:
        return Part(np.empty((0, 3)), np.empty((0, 3), np.int32))
    positions, faces = _positions_and_faces(primitive, document, buffers)
    for weight, target in zip(weights, primitive.targets, strict=False):
        if weight and "POSITION" in target:
            moves = buffers.numbers(target["POSITION"], "VEC3")
            _check_count(len(moves), len(positions), "morph target")
            positions = positions + weight * moves
    if joints is not None:
        positions = _moved_by_joints(positions, joints, primitive, buffers)
    return _without_unused(positions, faces)


def joint_matrices(skin: Skin, worlds: Floats, document: Document, buffers: Buffers) -> Floats:
    """The matrices (j, 4, 4) of a skin's joints, from the mesh to the scene.

    Raises
    ------
    MeshError
        A joint is missing, or has no inverse bind matrix where others have one.
    """
    for joint in skin.joints:
        pick(document.nodes, joint, "node")
    joints = worlds[list(skin.joints)]
    if skin.inverse_bind_matrices is None:
        return joints
    inverse = buffers.numbers(skin.inverse_bind_matrices, "MAT4")
    if len(inverse) < len(joints):
        raise MeshError(
            f"a skin has {len(joints)} joints and {len(inverse)} inverse bind matrices; "
            "the file is damaged, export it again"
        )
    columns = inverse[: len(joints)].reshape(-1, 4, 4)
    return np.asarray(joints @ np.swapaxes(columns, 1, 2))


def transform(positions: Floats, matrix: Floats) -> Floats:
    """Positions (v, 3) moved by a matrix (4, 4), or each by its own, (v, 4, 4).

    Equal positions stay equal. Products of whole matrices would not promise that, as their last
    bits depend on the row.
    """
    m = np.moveaxis(matrix, (-2, -1), (0, 1))
    x, y, z = positions.T
    return np.stack([m[i, 0] * x + m[i, 1] * y + m[i, 2] * z + m[i, 3] for i in range(3)], axis=1)


def _positions_and_faces(
    primitive: Primitive, document: Document, buffers: Buffers
) -> tuple[Floats, Ints]:
    index = primitive.attributes["POSITION"]
    draco = primitive.extensions.draco
    # A file that does not require the extension has the same triangles uncompressed.
    required = DRACO in document.extensions_required
    if draco is not None and (required or not buffers.has_bytes(index)):
        if "JOINTS_0" in draco.attributes:
            raise MeshError(f"it has a skin within {DRACO}, which is not read; export it without")
        stored, faces = decode_draco(buffers.view(draco.buffer_view), draco)
        _check_count(len(stored), buffers.count(index), f"{DRACO} positions")
        positions = buffers.scaled(index, stored)
    else:
        positions = buffers.numbers(index, "VEC3")
        if primitive.indices is None:
            corners: Ints = np.arange(len(positions))
        else:
            corners = buffers.indices(primitive.indices)
        faces = _triangles(corners, primitive.mode)
    if len(faces) and int(faces.max()) >= len(positions):
        raise MeshError(
            f"an index of a primitive is {int(faces.max())} and it has {len(positions)} vertices; "
            "the file is damaged, export it again"
        )
    return positions, faces


def _triangles(corners: Ints, mode: int) -> Ints:
    """Triangles (f, 3) of a sequence of vertex indices.

    Every second triangle of a strip is turned around. A strip that goes on elsewhere repeats
    indices; triangles with two equal ones count in that order and are left out of strips and fans.
    """
    if mode == _TRIANGLES:
        if len(corners) % 3:
            raise MeshError(
                f"triangles must have a multiple of 3 corners, got {len(corners)}; "
                "the file is damaged, export it again"
            )
        return corners.reshape(-1, 3)
    if mode == _FAN:
        center = np.broadcast_to(corners[:1], len(corners[2:]))
        faces = np.stack([corners[1:-1], corners[2:], center], axis=1)
    else:
        faces = np.stack([corners[:-2], corners[1:-1], corners[2:]], axis=1)
        faces[1::2, 1:] = faces[1::2, :0:-1]
    a, b, c = faces.T
    return np.asarray(faces[(a != b) & (b != c) & (c != a)])


def _moved_by_joints(
    positions: Floats, joints: Floats, primitive: Primitive, buffers: Buffers
) -> Floats:
    """Positions moved by the mean of their joints' matrices (linear blend skinning)."""
    total, blended = np.zeros(len(positions)), np.zeros((len(positions), 4, 4))
    sets = sum(name.startswith("JOINTS_") for name in primitive.attributes)
    for name in map(str, range(sets)):
        if not {f"JOINTS_{name}", f"WEIGHTS_{name}"} <= primitive.attributes.keys():
            raise MeshError("joints must come with weights; the file is damaged, export it again")
        numbers = buffers.joints(primitive.attributes[f"JOINTS_{name}"])
        weights = buffers.numbers(primitive.attributes[f"WEIGHTS_{name}"], "VEC4")
        for values in (numbers, weights):
            _check_count(len(values), len(positions), "skin")
        numbers = np.where(weights > 0, numbers, 0)
        if numbers.size and int(numbers.max()) >= len(joints):
            raise MeshError(
                f"joint {int(numbers.max())} is used and the skin has {len(joints)}; "
                "the file is damaged, export it again"
            )
        for number, weight in zip(numbers.T, weights.T, strict=True):
            blended += weight[:, None, None] * joints[number]
            total += weight
    if not (total > 0).all():
        raise MeshError("every vertex of a skin must have a joint; export it again")
    return transform(positions, blended / total[:, None, None])


def _check_count(found: int, wanted: int, name: str) -> None:
    if found != wanted:
        raise MeshError(
            f"a {name} has {found:,} entries for {wanted:,} vertices; "
            "the file is damaged, export it again"
        )


def _without_unused(positions: Floats, faces: Ints) -> Part:
    """Only the positions that faces use: several primitives may share one long table of them."""
    used = np.zeros(len(positions), dtype=bool)
    used[faces] = True
    if used.all():
        return Part(positions, faces.astype(np.int32))
    new_index = np.cumsum(used, dtype=np.int32) - 1
    return Part(positions[used], new_index[faces])
