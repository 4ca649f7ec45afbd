"""PLY files by their grammar: headers, properties, lists and elements, ASCII and binary."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from pipelines.campaigns.dice import Dice, Polygons

_CODES = {
    **{"char": "b", "int8": "b", "uchar": "B", "uint8": "B", "short": "h", "int16": "h"},
    **{"ushort": "H", "uint16": "H", "int": "i", "int32": "i", "uint": "I", "uint32": "I"},
    **{"float": "f", "float32": "f", "double": "d", "float64": "d"},
}
_WHOLE = [name for name, code in _CODES.items() if code not in "fd"]
_COMMENTS = (
    "comment made by hand",
    "comment",
    "obj_info x 1",
    "comment end_header",
    "comment \xe9",
)
_NOISE = (
    "garbage",
    "property",
    "element",
    "format ascii 1.0",
    "end_header ",
    "\x00",
    "element x -1",
)


@dataclass(frozen=True)
class _Column:
    """A property: its name, type, and for lists the type of the length."""

    name: str
    kind: str
    length: str = ""

    @property
    def line(self) -> str:
        types = f"list {self.length} {self.kind}" if self.length else self.kind
        return f"property {types} {self.name}"


@dataclass(frozen=True)
class _Element:
    name: str
    columns: list[_Column]
    rows: list[list[tuple[float, ...]]]


def make_ply(dice: Dice) -> bytes:
    """A PLY file of a small mesh, seldom of points alone."""
    mesh = Polygons.prism(dice)
    elements = [_vertices(dice, mesh), _faces(dice, mesh)]
    if dice.odd():
        edges = [_Column("vertex1", "int"), _Column("vertex2", "int")]
        rows: list[list[tuple[float, ...]]] = [[(0.0,), (1.0,)], [(1.0,), (2.0,)]]
        extra = _Element("edge", edges, rows)
        elements.insert(dice.rng.randrange(3), extra)
    if dice.odd():
        strip = [float(k) for k in (0, 1, 2, 3, -1, 2, 1, 0)]
        column = _Column("vertex_indices", "int", "int")
        elements[1] = _Element("tristrips", [column], [[tuple(strip)]])
    if dice.odd(0.5):
        elements.reverse()
    form = dice.any(("ascii", "binary_little_endian", "binary_big_endian"))
    end = dice.any(("\n", "\n", "\r\n")) if not dice.odd() else "\r"
    header = end.join(_header(dice, elements, form)) + end
    body = _text(dice, elements, end) if form == "ascii" else _binary(dice, elements, form)
    return dice.cut(header.encode("latin-1", "replace") + body)


def _header(dice: Dice, elements: list[_Element], form: str) -> list[str]:
    lines = [dice.one(f"format {form} 1.0", f"format {form} 2.0", "format ascii 1.0", "format")]
    for element in elements:
        lines += [dice.any(_COMMENTS)] * (dice.rng.random() < 0.3)
        lines.append(f"element {element.name} {dice.count(len(element.rows))}")
        lines += [column.line for column in element.columns]
        lines += [dice.any(_NOISE)] * dice.odd()
    return [dice.one("ply", "PLY", " ply", "plyx"), *dice.mixed(lines), "end_header"]


def _vertices(dice: Dice, mesh: Polygons) -> _Element:
    kind = dice.one(dice.any(("float", "double", "float32")), "int", "uchar", "half", "list")
    columns = [_Column(dice.one(axis, axis.upper(), "px", ""), kind) for axis in "xyz"]
    rows: list[list[tuple[float, ...]]]
    rows = [[(dice.real(x),) for x in vertex] for vertex in mesh.vertices]
    if dice.rng.random() < 0.3:
        columns += [_Column(name, "uchar") for name in ("red", "green", "blue")]
        rows = [[*row, (255,), (0,), (7,)] for row in rows]
    if dice.odd():
        columns.insert(0, _Column("tags", "short", "uchar"))
        rows = [[(1, 2), *row] for row in rows]
    return _Element("vertex", columns, rows)


def _faces(dice: Dice, mesh: Polygons) -> _Element:
    name = dice.one(dice.any(("vertex_indices", "vertex_index")), "indices", "vertex_indexes")
    kind = dice.one(dice.any(("int", "uint", "int32", "ushort")), "float", "double", "char")
    length = dice.one(dice.any(("uchar", "uint8", "int")), "float", "ushort", "char", "uint")
    columns = [_Column(name, kind, length)]
    rows: list[list[tuple[float, ...]]] = []
    for face in mesh.faces:
        corners = [dice.whole(corner, bits=16) for corner in face]
        rows.append([tuple(corners[: 1 + dice.rng.randrange(3)] if dice.odd() else corners)])
    if dice.rng.random() < 0.2:
        columns.append(_Column("flags", "uchar"))
        rows = [[*row, (1,)] for row in rows]
    return _Element("face", columns, rows)


def _text(dice: Dice, elements: list[_Element], end: str) -> bytes:
    lines = []
    for element in elements:
        for row in element.rows:
            words = []
            for column, values in zip(element.columns, row, strict=True):
                words += [dice.count(len(values))] if column.length else []
                whole = column.kind in _WHOLE
                words += [dice.count(int(_finite(v))) if whole else dice.number(v) for v in values]
            lines.append(dice.one(" ", "\t", ",", "  ").join(words))
    return (end.join(dice.mixed(lines)) + dice.one(end, "")).encode("latin-1", "replace")


def _binary(dice: Dice, elements: list[_Element], form: str) -> bytes:
    order = "<" if form == "binary_little_endian" else ">"
    out = bytearray()
    for element in elements:
        for row in element.rows:
            for column, values in zip(element.columns, row, strict=True):
                if column.length:
                    out += _packed(order, column.length, dice.whole(len(values)))
                for value in values:
                    out += _packed(order, column.kind, value)
    return bytes(out)


def _packed(order: str, kind: str, value: float) -> bytes:
    code = _CODES.get(kind, "i")
    if code == "d":
        return struct.pack(order + code, value)
    if code == "f":
        return struct.pack(order + code, value if abs(value) < 3.4e38 else float("inf"))
    bits = 8 * struct.calcsize(code)
    wrapped = int(_finite(value)) & ((1 << bits) - 1)
    return wrapped.to_bytes(bits // 8, "little" if order == "<" else "big")


def _finite(value: float) -> float:
    return value if abs(value) < 1e18 else 0.0
