"""Where the nodes of a glTF file place their meshes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from geom_miner.errors import MeshError
from geom_miner.mesh.formats.gltf_buffers import Buffers
from geom_miner.mesh.formats.gltf_document import INSTANCING, Document, Instances, Node, pick

Floats = npt.NDArray[np.float64]


def world_matrices(document: Document) -> list[Floats]:
    """The matrix (4, 4) of each node, from its own coordinates to those of the scene.

    Raises
    ------
    MeshError
        A node is its own ancestor, has two parents or a rotation of length 0.
    """
    nodes = document.nodes
    parents: list[int | None] = [None] * len(nodes)
    for index, node in enumerate(nodes):
        for child in node.children:
            pick(nodes, child, "node")
            if parents[child] is not None:
                raise MeshError(
                    f"node {child} has two parents; the file is damaged, export it again"
                )
            parents[child] = index
    roots = [index for index, parent in enumerate(parents) if parent is None]
    worlds: dict[int, Floats] = {}
    for index in _below(document, roots):
        local, parent = _local_matrix(nodes[index], index), parents[index]
        worlds[index] = local if parent is None else worlds[parent] @ local
    if len(worlds) < len(nodes):
        lost = next(index for index in range(len(nodes)) if index not in worlds)
        raise MeshError(f"node {lost} is its own ancestor; the file is damaged, export it again")
    return [worlds[index] for index in range(len(nodes))]


def nodes_of_scene(document: Document) -> tuple[list[int], list[str]]:
    """The nodes that are shown, parents before children, and what is to be said about the choice.

    These are the nodes of the file's default scene, or of its first one if it names none, or all
    nodes if it has no scenes. ``world_matrices`` must have accepted the file.
    """
    scenes, nodes = document.scenes, document.nodes
    if not scenes:
        return list(range(len(nodes))), []
    chosen = document.scene or 0
    roots = pick(scenes, chosen, "scene").nodes
    for index in roots:
        pick(nodes, index, "node")
    shown = _below(document, roots)
    hidden = [i for i in set(range(len(nodes))) - set(shown) if nodes[i].mesh is not None]
    notes = []
    if hidden:
        kind = "the default one" if document.scene is not None else "the first one"
        notes.append(
            f"Scene {chosen} of {len(scenes)} is read, {kind}; {len(hidden)} meshes outside of it "
            "are left out."
        )
    return shown, notes


def instance_matrices(instances: Instances, buffers: Buffers) -> Floats:
    """The matrices (n, 4, 4) of a node's instances, relative to the node.

    Raises
    ------
    MeshError
        The attributes differ in length, or there are none.
    """
    kinds = {"TRANSLATION": "VEC3", "ROTATION": "VEC4", "SCALE": "VEC3"}
    found = {
        name: buffers.numbers(instances.attributes[name], kind)
        for name, kind in kinds.items()
        if name in instances.attributes
    }
    counts = {len(values) for values in found.values()}
    if len(counts) != 1:
        raise MeshError(
            f"the attributes of {INSTANCING} must be equally many, got {sorted(counts)}; "
            "export it again"
        )
    (count,) = counts
    matrices = np.tile(np.eye(4), (count, 1, 1))
    if "ROTATION" in found:
        matrices[:, :3, :3] = _rotations(found["ROTATION"], f"an instance of {INSTANCING}")
    if "SCALE" in found:
        matrices[:, :3, :3] *= found["SCALE"][:, None]
    if "TRANSLATION" in found:
        matrices[:, :3, 3] = found["TRANSLATION"]
    return matrices


def _below(document: Document, roots: Sequence[int]) -> list[int]:
    """Nodes and all their descendants, each once, parents first."""
    order = dict.fromkeys(roots)
    waiting = list(order)
    while waiting:
        children = list(itertools.chain(*(document.nodes[i].children for i in waiting)))
        waiting = [child for child in dict.fromkeys(children) if child not in order]
        order.update(dict.fromkeys(waiting))
    return list(order)


def _local_matrix(node: Node, index: int) -> Floats:
    if node.matrix is not None:
        return np.array(node.matrix, dtype=np.float64).reshape(4, 4).T
    matrix = np.eye(4)
    matrix[:3, :3] = _rotations(np.array([node.rotation]), f"node {index}")[0] * node.scale
    matrix[:3, 3] = node.translation
    return matrix


def _rotations(quaternions: Floats, name: str) -> Floats:
    """Rotation matrices (n, 3, 3) of quaternions (n, 4) in the order x, y, z, w, of any length."""
    lengths = np.linalg.norm(quaternions, axis=1)
    if not (np.isfinite(lengths) & (lengths > 0)).all():
        raise MeshError(f"{name} has a rotation of length 0; export it again")
    x, y, z, w = (quaternions / lengths[:, None]).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), -1, 0)
