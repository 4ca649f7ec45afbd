"""glTF files, as JSON (.gltf) and binary (.glb): every triangle of a scene at its place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from geom_miner.errors import MeshError
from geom_miner.mesh.formats.contents import file_bytes
from geom_miner.mesh.formats.gltf_buffers import Buffers
from geom_miner.mesh.formats.gltf_document import (
    GLB_MAGIC,
    INSTANCING,
    Document,
    Mesh,
    Node,
    parse_document,
    pick,
    split_glb,
)
from geom_miner.mesh.formats.gltf_primitives import (
    Part,
    joint_matrices,
    read_part,
    transform,
    what_is_no_surface,
)
from geom_miner.mesh.formats.gltf_scene import (
    instance_matrices,
    nodes_of_scene,
    world_matrices,
)
from geom_miner.mesh.formats.gltf_writer import write_glb
from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.mesh.weld import merge_identical_vertices

Floats = npt.NDArray[np.float64]

# Most triangles of a scene that shows meshes repeatedly. 50 million take about 2 GB; a file of a
# few kilobytes could ask for more.
_MOST_REPEATED = 50_000_000


def read_gltf(path: Path) -> TriangleMesh:
    """Read the meshes of a file's scene, each placed by its node; equal vertices are merged.

    The notes say what was left out: other scenes, points, lines, bytes behind the end.

    Morph targets are applied with the weights in the file, and skins with its joints as they
    stand; animations are not played.

    Raises
    ------
    MeshError
        The file is damaged, cut short, of another version, lacks a data file, or needs an
        extension that is not read.
    BackendUnavailable
        A package that decompresses its content is missing.
    """
    data = file_bytes(path)
    notes = []
    if data[:4] == GLB_MAGIC:
        json, binary, rest = split_glb(data)
        if rest:
            notes.append(f"{rest:,} bytes behind the announced end of the file are left out.")
    else:
        json, binary = bytes(data), memoryview(b"")
    document = parse_document(json)
    scene = _Scene(document, Buffers(path, document, binary), notes)
    return merge_identical_vertices(scene.flatten())


@dataclass
class _Scene:
    """Collects the parts of a scene and where they go."""

    document: Document
    buffers: Buffers
    notes: list[str]
    _read: dict[int, list[Part]] = field(default_factory=dict)
    _left_out: Counter[str] = field(default_factory=Counter)

    def flatten(self) -> TriangleMesh:
        """One mesh of all parts, in the coordinates of the scene."""
        placements = list(self._placements())
        self.notes += [
            f"{count:,} primitives of {kind} have no area and are left out."
            for kind, count in self._left_out.items()
        ]
        return _joined(placements, tuple(self.notes))

    def _placements(self) -> Iterator[tuple[Part, Floats]]:
        """Every part with the matrices (n, 4, 4) of the places where it is shown."""
        if not self.document.nodes:
            # A library of meshes without a scene.
            for index in range(len(self.document.meshes)):
                yield from ((part, np.eye(4)[None]) for part in self._parts(index))
            return
        shown_faces, stored_faces, seen = 0, 0, set[int]()
        worlds = world_matrices(self.document)
        shown, notes = nodes_of_scene(self.document)
        self.notes += notes
        for index in shown:
            node = self.document.nodes[index]
            if node.mesh is None:
                continue
            if node.skin is not None:
                matrices = np.eye(4)[None]
            elif node.extensions.instancing is not None:
                instances = instance_matrices(node.extensions.instancing, self.buffers)
                matrices = worlds[index] @ instances
            else:
                matrices = worlds[index][None]
            parts = self._parts_of_node(node, worlds)
            faces = sum(len(part.faces) for part in parts)
            shown_faces += faces * len(matrices)
            stored_faces += 0 if node.mesh in seen else faces
            seen.add(node.mesh)
            _check_repeats(shown_faces, stored_faces)
            yield from ((part, matrices) for part in parts)

    def _parts_of_node(self, node: Node, worlds: Floats) -> list[Part]:
        assert node.mesh is not None
        if node.skin is None and node.weights is None:
            return self._parts(node.mesh)
        if node.skin is not None and node.extensions.instancing is not None:
            raise MeshError(f"a skin with {INSTANCING} is not read; export it without")
        mesh, joints = pick(self.document.meshes, node.mesh, "mesh"), None
        if node.skin is not None:
            skin = pick(self.document.skins, node.skin, "skin")
            joints = joint_matrices(skin, worlds, self.document, self.buffers)
        return self._read_parts(mesh, node.weights or mesh.weights, joints)

    def _parts(self, index: int) -> list[Part]:
        """The parts of a mesh as it stands, which are read once."""
        if index not in self._read:
            mesh = pick(self.document.meshes, index, "mesh")
            self._read[index] = self._read_parts(mesh, mesh.weights, None)
        return self._read[index]

    def _read_parts(
        self, mesh: Mesh, weights: tuple[float, ...], joints: Floats | None
    ) -> list[Part]:
        parts = []
        for primitive in mesh.primitives:
            kind = what_is_no_surface(primitive)
            if kind is not None:
                self._left_out[kind] += 1
            else:
                parts.append(read_part(primitive, weights, joints, self.document, self.buffers))
        return parts


def _check_repeats(shown: int, stored: int) -> None:
    if shown > max(stored, _MOST_REPEATED):
        raise MeshError(
            f"its scene repeats {stored:,} triangles to {shown:,} or more, and at most "
            f"{_MOST_REPEATED:,} are read; export its parts one by one"
        )


def _joined(placements: list[tuple[Part, Floats]], notes: tuple[str, ...]) -> TriangleMesh:
    """All parts as one mesh; a matrix that mirrors turns the faces around."""
    faces = sum(len(part.faces) * len(matrices) for part, matrices in placements)
    vertices = sum(len(part.positions) * len(matrices) for part, matrices in placements)
    positions = np.empty((vertices, 3))
    corners = np.empty(
        (faces, 3), dtype=np.int64 if vertices > np.iinfo(np.int32).max else np.int32
    )
    at_vertex = at_face = 0
    for part, matrices in placements:
        mirrors = np.linalg.det(matrices[:, :3, :3]) < 0
        for matrix, is_mirrored in zip(matrices, mirrors, strict=True):
            stop_vertex, stop_face = at_vertex + len(part.positions), at_face + len(part.faces)
            positions[at_vertex:stop_vertex] = transform(part.positions, matrix)
            corners[at_face:stop_face] = part.faces[:, :: -1 if is_mirrored else 1]
            corners[at_face:stop_face] += at_vertex
            at_vertex, at_face = stop_vertex, stop_face
    return TriangleMesh(positions, corners, notes)


READERS = {".glb": read_gltf, ".gltf": read_gltf}
WRITERS = {".glb": write_glb}
