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


def world_matrices(document: Document) -> Floats:
    """The matrices (n, 4, 4) of all nodes, from their own coordinates to those of the scene.

    Raises
    ------
    MeshError
        A node is its own ancestor, has two parents or a rotation of length 0.
    """
    nodes = document.nodes
    parents = np.full(len(nodes), -1)
    for index, node in enumerate(nodes):
        for child in node.children:
            pick(nodes, child, "node")
            if parents[child] >= 0:
                raise MeshError(
                    f"node {child} has two parents; the file is damaged, export it again"
                )
            parents[child] = index
    levels = _levels(document, np.flatnonzero(parents < 0).tolist())
    lost = set(range(len(nodes))).difference(*levels)
    if lost:
        raise MeshError(
            f"node {min(lost)} is its own ancestor; the file is damaged, export it again"
        )
    worlds = _local_matrices(nodes)
    for level in levels[1:]:
        worlds[level] = worlds[parents[level]] @ worlds[level]
    return worlds


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
    shown = list(itertools.chain(*_levels(document, roots)))
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
        matrices[:, :3, :3] = _rotations(found["ROTATION"], f"instance of {INSTANCING}")
    if "SCALE" in found:
        matrices[:, :3, :3] *= found["SCALE"][:, None]
    if "TRANSLATION" in found:
        matrices[:, :3, 3] = found["TRANSLATION"]
    return matrices


def _levels(document: Document, roots: Sequence[int]) -> list[list[int]]:
    """Nodes, then their children, and so on; each node once."""
    levels, found = [], set[int]()
    level = list(dict.fromkeys(roots))
    while level:
        levels.append(level)
        found.update(level)
        children = itertools.chain(*(document.nodes[i].children for i in level))
        level = [child for child in dict.fromkeys(children) if child not in found]
    return levels


def _local_matrices(nodes: Sequence[Node]) -> Floats:
    """The matrices (n, 4, 4) of all nodes, relative to their parents."""
    matrices = np.tile(np.eye(4), (len(nodes), 1, 1))
    rotations = _rotations(np.array([node.rotation for node in nodes]), "node")
    matrices[:, :3, :3] = rotations * np.array([node.scale for node in nodes])[:, None]
    matrices[:, :3, 3] = [node.translation for node in nodes]
    for index, node in enumerate(nodes):
        if node.matrix is not None:
            matrices[index] = np.array(node.matrix).reshape(4, 4).T
    return matrices


def _rotations(quaternions: Floats, name: str) -> Floats:
    """Rotation matrices (n, 3, 3) of quaternions (n, 4) in the order x, y, z, w, of any length."""
    lengths = np.linalg.norm(quaternions, axis=1)
    wrong = np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))
    if len(wrong):
        raise MeshError(f"{name} {wrong[0]} has a rotation of length 0; export it again")
    x, y, z, w = (quaternions / lengths[:, None]).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), -1, 0)
