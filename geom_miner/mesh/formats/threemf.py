"""3MF packages: every item of the build, placed by its transforms; units are kept, and said.

Format: 3MF Consortium, "3MF Core Specification 1.3" and "Production Extension 1.1". Materials and
slices are skipped; shapes of other extensions are said, or refused where the file requires them.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from xml.parsers import expat

import numpy as np
import numpy.typing as npt

from geom_miner.errors import MeshError
from geom_miner.mesh.formats.assembly import as_indices, mesh_of
from geom_miner.mesh.formats.contents import file_bytes, unpack_within_limit, unpacked_limit
from geom_miner.mesh.formats.threemf_model import Model, ModelObject, Placed, parse_model
from geom_miner.mesh.triangle_mesh import TriangleMesh
from geom_miner.mesh.weld import merge_identical_vertices

_MODEL_TYPE = "http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel"
_RELATIONSHIPS = "_rels/.rels"
_USUAL_MODEL = "3D/3dmodel.model"
# Most vertices and faces after all objects were placed. Objects of objects multiply, so that a
# small file can ask for any number.
_MOST_PLACED = 50_000_000

Ints = npt.NDArray[np.integer]
Floats = npt.NDArray[np.float64]
Key = tuple[str, str]


def read_3mf(path: Path) -> TriangleMesh:
    """Read all items of the build; vertices of equal position are merged.

    Raises
    ------
    MeshError
        The file is no 3MF, damaged, unpacks to too much, requires an extension that is not read, or
        builds nothing.
    """
    package = _Package(path)
    main = package.main_part()
    model = package.model(main)
    notes = []
    items = model.items
    if not items:
        # Components stand in the objects that use them.
        used = {
            component.object_id for each in model.objects.values() for component in each.components
        }
        items = [Placed("", name, np.eye(4, 3)) for name in model.objects if name not in used]
        notes.append("The file builds nothing, so all of its objects were read.")
    scene = _Scene(package, main, items)
    vertices, faces = scene.place(main, items)
    if model.unit != "millimeter":
        notes.append(f"Positions are in units of {model.unit[:40]!r}, as the file says.")
    if scene.supports:
        notes.append(f"{scene.supports:,} support object(s) were left out.")
    shapes = sum(each.other_shapes for each in package.models.values())
    if shapes:
        notes.append(f"{shapes:,} shape(s) of 3MF extensions were left out, such as beam lattices.")
    return merge_identical_vertices(mesh_of(path, vertices, faces, tuple(notes)))


class _Package:
    """The archive, whose model parts are read once and within a limit for all of them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        data = file_bytes(path)
        self._left = unpacked_limit(len(data))
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as error:
            raise MeshError(
                f"{path} is no 3MF file, or cut short; copy or export it again"
            ) from error
        self.models: dict[str, Model] = {}

    def main_part(self) -> str:
        """Name of the part that holds the build."""
        found: list[str] = []

        def start(name: str, attributes: dict[str, str]) -> None:
            if attributes.get("Type") == _MODEL_TYPE and "Target" in attributes:
                found.append(attributes["Target"].lstrip("/"))

        if _RELATIONSHIPS in self._archive.NameToInfo:
            parser = expat.ParserCreate()
            parser.StartElementHandler = start
            try:
                parser.Parse(self._read(_RELATIONSHIPS), True)
            except (expat.ExpatError, LookupError, ValueError) as error:
                raise MeshError(
                    f"{self.path} has damaged relationships; export it again"
                ) from error
        return found[0] if found else _USUAL_MODEL

    def model(self, part: str) -> Model:
        """A model part by its name."""
        if part not in self.models:
            self.models[part] = parse_model(self._read(part), f"{self.path}: {part[:100]!r}")
        return self.models[part]

    def _read(self, part: str) -> bytes:
        what = f"{self.path}: {part[:100]!r}"
        try:
            with self._archive.open(part) as stream:
                data = unpack_within_limit(stream, self._left, what)
        except KeyError as error:
            raise MeshError(f"{what} is missing from the file; export it again") from error
        except (
            zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError
        ) as error:  # fmt: skip
            if isinstance(error, MeshError):
                raise
            raise MeshError(f"{what} is damaged or encrypted; export it again") from error
        self._left -= len(data)
        return data


class _Scene:
    """Places objects; an object may use only objects before it, so there are no circles."""

    def __init__(self, package: _Package, main: str, items: list[Placed]) -> None:
        self._package = package
        self._meshes: dict[Key, tuple[Floats, Ints]] = {}
        self._placed = 0
        self.supports = 0
        for part in dict.fromkeys([*self._other_parts(main, items), main]):
            self._read_part(part, main, items)

    def place(self, part: str, instances: list[Placed]) -> tuple[Floats, Ints]:
        """Vertices and faces of several objects, all of which are known."""
        vertices: list[Floats] = [np.empty((0, 3))]
        faces: list[Ints] = [np.empty((0, 3), np.int64)]
        offset = 0
        for instance in instances:
            points, triangles = self._mesh_of(part, instance)
            self._placed += len(points) + len(triangles)
            if self._placed > 2 * _MOST_PLACED:
                raise MeshError(
                    f"{self._package.path} must place at most {_MOST_PLACED:,} faces, and places "
                    "more; export fewer copies"
                )
            vertices.append(points @ instance.transform[:3] + instance.transform[3])
            # A reflection turns faces inside out.
            turned = np.linalg.det(instance.transform[:3]) < 0
            faces.append((triangles[:, ::-1] if turned else triangles) + offset)
            offset += len(points)
        return np.concatenate(vertices), np.concatenate(faces)

    def _mesh_of(self, part: str, instance: Placed) -> tuple[Floats, Ints]:
        key = (instance.part or part, instance.object_id)
        if key not in self._meshes:
            raise MeshError(
                f"{self._package.path} uses object {instance.object_id[:40]!r} of "
                f"{key[0][:100]!r}, which is missing or stands behind its use; export it again"
            )
        return self._meshes[key]

    def _other_parts(self, main: str, items: list[Placed]) -> Iterator[str]:
        """Parts that the main part names."""
        for each in self._package.model(main).objects.values():
            yield from (component.part for component in each.components if component.part)
        yield from (item.part for item in items if item.part)

    def _read_part(self, part: str, main: str, items: list[Placed]) -> None:
        model = self._package.model(part)
        needed = self._needed(model, part, main, items)
        for name, each in model.objects.items():
            if name in needed:
                self._meshes[part, name] = self._flatten(part, name, each)

    def _needed(self, model: Model, part: str, main: str, items: list[Placed]) -> set[str]:
        """Objects of a part that are built, or that one of these uses."""
        if part != main:
            return set(model.objects)
        needed = {item.object_id for item in items if item.part in ("", main)}
        for name, each in reversed(model.objects.items()):
            if name in needed:
                needed |= {component.object_id for component in each.components}
        return needed

    def _flatten(self, part: str, name: str, each: ModelObject) -> tuple[Floats, Ints]:
        """The mesh of an object and of its components."""
        if each.is_support:
            self.supports += 1
            return np.empty((0, 3)), np.empty((0, 3), np.int64)
        points = np.array(each.coordinates).reshape(-1, 3)
        triangles = np.array(each.corners).reshape(-1, 3)
        if len(triangles) and not (triangles.min() >= 0 and triangles.max() < len(points)):
            raise MeshError(
                f"{self._package.path}: the faces of object {name[:40]!r} must use its "
                f"{len(points):,} vertices, and do not; export it again"
            )
        if not each.components:
            return points, as_indices(triangles)
        placed, faces = self.place(part, each.components)
        return np.concatenate([points, placed]), np.concatenate([triangles, faces + len(points)])


READERS = {".3mf": read_3mf}
