"""One model part of a 3MF package: objects with their meshes and components, and what is built."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

import numpy as np
import numpy.typing as npt

from geom_miner.errors import MeshError

_CORE = "http://schemas.microsoft.com/3dmanufacturing/core/2015/02"
_PRODUCTION = "http://schemas.microsoft.com/3dmanufacturing/production/2015/06"
# Extensions that a model may require: those that add no shape, and production, which is read.
_KNOWN_EXTENSIONS = {
    _CORE,
    _PRODUCTION,
    "http://schemas.microsoft.com/3dmanufacturing/material/2015/02",
    "http://schemas.microsoft.com/3dmanufacturing/trianglesets/2021/07",
}
# Stands between the namespace and the name of an element.
_SEPARATOR = " "
_PATH = f"{_PRODUCTION}{_SEPARATOR}path"
# Elements of extensions that add to the shape of a mesh or replace it.
_SHAPES = ("beamlattice", "booleanshape", "displacementmesh", "levelset", "volumetricstack")

Transform = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Placed:
    """An object at a position: in the build or in another object.

    Parameters
    ----------
    part : name of the model part that holds the object; empty for the same one.
    transform : (4, 3), multiplied from the right to positions followed by 1.
    """

    part: str
    object_id: str
    transform: Transform


@dataclass
class ModelObject:
    """An object: a mesh, or other objects."""

    is_support: bool
    coordinates: array[float] = field(default_factory=lambda: array("d"))
    corners: array[int] = field(default_factory=lambda: array("q"))
    components: list[Placed] = field(default_factory=list)


@dataclass
class Model:
    """What a model part holds; objects are in the file's order."""

    unit: str = "millimeter"
    objects: dict[str, ModelObject] = field(default_factory=dict)
    items: list[Placed] = field(default_factory=list)
    other_shapes: int = 0
    """Shapes of extensions that are not read, such as beam lattices."""


def parse_model(data: bytes, what: str) -> Model:
    """Read a model part.

    Parameters
    ----------
    what : name of the file and the part, for errors.

    Raises
    ------
    MeshError
        The part is no XML, declares a document type, requires an extension that is not read, or
        has a wrong value.
    """
    reader = _ModelReader(what)
    parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
    parser.StartElementHandler = reader.start
    parser.StartNamespaceDeclHandler = reader.declare
    # A document type may define entities that grow without a limit.
    parser.StartDoctypeDeclHandler = reader.refuse_document_type
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise MeshError(f"{what} is damaged, at line {error.lineno:,}; export it again") from error
    except (LookupError, ValueError, OverflowError) as error:
        if isinstance(error, MeshError):
            raise
        raise MeshError(
            f"{what} has a missing or wrong value in line {parser.CurrentLineNumber:,}; export it "
            "again"
        ) from error
    if reader.model is None:
        raise MeshError(f"{what} holds no 3MF model; export it again")
    return reader.model


class _ModelReader:
    def __init__(self, what: str) -> None:
        self.what = what
        self.model: Model | None = None
        self._namespaces: dict[str, str] = {}
        self._object = ModelObject(False)

    def declare(self, prefix: str | None, uri: str | None) -> None:
        self._namespaces[prefix or ""] = uri or ""

    def refuse_document_type(self, *_: object) -> NoReturn:
        raise MeshError(f"{self.what} must not declare a document type; export it again")

    def start(self, qualified: str, attributes: dict[str, str]) -> None:
        namespace, _, name = qualified.rpartition(_SEPARATOR)
        if namespace != _CORE:
            if self.model is not None and name in _SHAPES:
                self.model.other_shapes += 1
            return
        if name == "vertex":
            coordinates = self._object.coordinates
            coordinates.append(float(attributes["x"]))
            coordinates.append(float(attributes["y"]))
            coordinates.append(float(attributes["z"]))
        elif name == "triangle":
            corners = self._object.corners
            corners.append(int(attributes["v1"]))
            corners.append(int(attributes["v2"]))
            corners.append(int(attributes["v3"]))
        elif name == "model":
            self._check_extensions(attributes.get("requiredextensions", ""))
            self.model = Model(attributes.get("unit", "millimeter"))
        elif self.model is None:
            raise ValueError(name)
        elif name == "object":
            self._object = ModelObject(attributes.get("type") == "support")
            if attributes["id"] in self.model.objects:
                raise ValueError(name)
            self.model.objects[attributes["id"]] = self._object
        elif name == "component":
            self._object.components.append(_placed(attributes))
        elif name == "item":
            self.model.items.append(_placed(attributes))

    def _check_extensions(self, prefixes: str) -> None:
        for prefix in prefixes.split():
            extension = self._namespaces.get(prefix, prefix)
            if extension not in _KNOWN_EXTENSIONS:
                raise MeshError(
                    f"{self.what} requires the 3MF extension {extension[:100]!r}, which is not "
                    "read; export a plain mesh, for instance as STL"
                )


def _placed(attributes: dict[str, str]) -> Placed:
    words = attributes.get("transform", "1 0 0 0 1 0 0 0 1 0 0 0").split()
    transform = np.array([float(word) for word in words]).reshape(4, 3)
    if not np.isfinite(transform).all():
        raise ValueError("transform")
    return Placed(attributes.get(_PATH, "").lstrip("/"), attributes["objectid"], transform)
