"""OBJ, OFF and STL files by their grammar."""

from __future__ import annotations

import struct

from pipelines.campaigns.dice import Dice, Polygons

_OBJ_NOISE = (
    *("g part", "o", "o a b", "usemtl m", "mtllib none.mtl", "s off", "s 1", "# note", "vn 0 0 1"),
    *("vt 0 0", "vt 0.5", "l 1 2", "p 1", "vp 0.1", "curv 0 1 1 2", "cstype bspline", "end"),
    *("call other.obj", "csh -x", "f", "f 1", "f 1 2", "v", "v 1", "v 1 2", "\x00", "v a b c"),
    *("f 1/1/1 2/2/2 3/3/3", "f 1//1 2//2 3//3", "f 0 1 2", "f 1 2 99999999999", "f 1.0 2.0 3.0"),
    *("f -1 -2 -3", "f -99 1 2", "bevel on", "f 1 2 3 # inline", "f 1 \\", "unknown x y"),
)


def make_obj(dice: Dice) -> bytes:
    """An OBJ file of a small mesh."""
    mesh = Polygons.prism(dice)
    lines = ["# a mesh"] if dice.rng.random() < 0.5 else []
    color = " 1 0 0" if dice.rng.random() < 0.1 else ""
    lines += [f"v {' '.join(map(dice.number, vertex))}{color}" for vertex in mesh.vertices]
    total = len(mesh.vertices)
    style = dice.any(("plain", "plain", "slashes", "negative"))
    for face in mesh.faces:
        indices = [corner - total if style == "negative" else corner + 1 for corner in face]
        words = [dice.count(index) for index in indices]
        if style == "slashes":
            words = [f"{word}{dice.one('', '/', '//', '/1/1', '//1', '/x')}" for word in words]
        lines.append(" ".join([dice.one("f", "F", "fo", " f"), *words]))
        lines += [dice.any(_OBJ_NOISE)] * dice.odd(2)
    return _as_bytes(dice, dice.mixed(lines))


def make_off(dice: Dice) -> bytes:
    """An OFF file of a small mesh."""
    mesh = Polygons.prism(dice)
    counts = [len(mesh.vertices), len(mesh.faces), dice.any((0, 7))]
    words = [dice.count(count) for count in counts]
    head = dice.one("OFF", "off", "COFF", "NOFF", "STOFF", "4OFF", "nOFF", "OFF BINARY", "", "OF")
    lines = [f"{head} {' '.join(words)}"] if dice.odd() else [head, " ".join(words)]
    lines += [" ".join(map(dice.number, vertex)) for vertex in mesh.vertices]
    for face in mesh.faces:
        tail = dice.one("", " 255 0 0", " 0.1 0.2 0.3 1", " # red", " x")
        lines.append(" ".join([dice.count(len(face)), *map(dice.count, face)]) + tail)
        lines += [dice.one("", "# comment", "0", "2 0 1")] * dice.odd(2)
    return _as_bytes(dice, dice.mixed(lines))


def make_stl(dice: Dice) -> bytes:
    """An STL file of a small mesh: ASCII with one or more solids, or binary."""
    mesh = Polygons.prism(dice)
    fans = [(f[0], f[k], f[k + 1]) for f in mesh.faces for k in range(1, len(f) - 1)]
    corners = [[mesh.vertices[index] for index in face] for face in fans]
    if dice.rng.random() < 0.5:
        return _binary_stl(dice, corners)
    lines: list[str] = []
    for solid in range(dice.one(1, 2, 3)):
        lines.append(dice.one(f"solid s{solid}", "solid", "SOLID x", " solid a", "Solid \xe9"))
        for triangle in corners:
            lines.append(f"facet normal {' '.join(map(dice.number, (0.0, 0.0, 1.0)))}")
            lines.append(dice.one("outer loop", "OUTER LOOP", "outerloop"))
            lines += [f"  vertex {' '.join(map(dice.number, corner))}" for corner in triangle]
            lines += [dice.one("endloop", "end loop"), dice.one("endfacet", "end facet", "")]
        lines.append(dice.one(f"endsolid s{solid}", "endsolid", "end solid", ""))
    return _as_bytes(dice, dice.mixed(lines))


def _binary_stl(dice: Dice, corners: list[list[tuple[float, float, float]]]) -> bytes:
    title = dice.one(b"binary", b"solid that is none", b"solid x\nfacet normal", b"\xff" * 80, b"")
    out = bytearray(title.ljust(80, dice.any((b" ", b"\x00")))[:80])
    out += struct.pack("<I", dice.whole(len(corners)))
    for triangle in corners:
        numbers = [dice.real(x) for corner in [(0.0, 0.0, 1.0), *triangle] for x in corner]
        narrow = [x if not abs(x) > 3.4e38 else float("inf") for x in numbers]
        out += struct.pack("<12fH", *narrow, dice.one(0, 1, 65535))
    return dice.cut(bytes(out))


def _as_bytes(dice: Dice, lines: list[str]) -> bytes:
    """Lines as a file, seldom with other line ends, blanks, a byte order mark or no end."""
    end = dice.one(dice.any(("\n", "\n", "\r\n")), "\r", "\n\r", "\n\n", "\\\n", "\x0b")
    if dice.odd():
        lines = [
            dice.any((" ", "\t", "")) + line.replace(" ", dice.any((" ", "\t", "  ")))
            for line in lines
        ]
    text = end.join(lines) + dice.one(end, "")
    mark = dice.one(b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\x1f\x8b", b"\x00")
    return dice.cut(mark + text.encode(dice.one("utf-8", "latin-1", "utf-16"), "replace"))
