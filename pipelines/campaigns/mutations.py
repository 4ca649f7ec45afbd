"""Faulty files made from good ones, with every checksum recomputed: what no checksum can catch.

Each mutation takes the bytes of a good file and a seeded ``random.Random``, and gives the bytes of
a file that is usually faulty. Equal seeds give equal files. Formats are taken apart here without
the project's own readers, so that a fault of those cannot hide.
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

from geom_miner.storage import DIGESTS, SIGNATURE

Mutation = Callable[[bytes, random.Random], bytes]

_PREFIX = struct.Struct("<8sQ")
_START = 12  # signature and version of a model file
# Values that parsers tend to forget.
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 7, 16, 17, 255, 1 << 20, 1 << 31, (1 << 31) - 1, 1 << 32),
    *((1 << 62), (1 << 63) - 1, 1 << 63, -(1 << 63), 10**9, 10**30, 0.5, -0.0, 1e-320, 1e308),
    *(float("nan"), float("inf"), -float("inf"), "", "x", "1", "nan", "\x00", "\x1b[31m", "é"),
    *("[/red]", "../x", "a" * 5000, [], [1], [0], [-1], [2, 2, 2], [1e9] * 3, [[1]], [None], {}),
    *({"a": 1}, [1 << 20] * 3, [1 << 62], [1] * 64, {"": {}}),
)
_DEEP = 5000


def mutate_bytes(data: bytes, rng: random.Random) -> bytes:
    """Flip, remove, repeat or overwrite a few bytes."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        at = rng.randrange(len(changed) + 1)
        span = min(rng.choice((1, 1, 2, 4, 8, 64)), max(len(changed) - at, 0))
        match rng.randrange(5):
            case 0 if span:
                changed[at] ^= 1 << rng.randrange(8)
            case 1:
                del changed[at : at + span]
            case 2:
                changed[at:at] = changed[at : at + span]
            case 3:
                changed[at : at + span] = rng.choice((b"\x00", b"\xff", b"\x7f")) * span
            case _:
                changed[at : at + span] = rng.randbytes(span)
    return bytes(changed)


def mutate_json(data: bytes, rng: random.Random) -> bytes:
    """Change an entry of a JSON document, or its text."""
    if rng.random() < 0.15:
        return mutate_bytes(data, rng)
    if rng.random() < 0.03:
        bracket = rng.choice((b"[", b'{"a":'))
        return bracket * _DEEP
    document = json.loads(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        document = _with_changed_entry(document, rng)
    return json.dumps(document, separators=(",", ":")).encode()


def mutate_lines_of_json(data: bytes, rng: random.Random) -> bytes:
    """Change one line of a file that holds a JSON object per line, or cut the file."""
    lines = data.splitlines()
    if not lines or rng.random() < 0.1:
        return data[: rng.randrange(len(data) + 1)]
    at = rng.randrange(len(lines))
    lines[at] = mutate_json(lines[at], rng)
    return b"\n".join(lines) + b"\n"


def mutate_model(data: bytes, rng: random.Random) -> bytes:
    """Change a section of a model file, or their order; every checksum is recomputed.

    A file that an interrupted fit left, ``.part``, is one as well.
    """
    version = data[len(SIGNATURE)]
    sections = _sections(data, version)
    at = rng.randrange(len(sections))
    tag, payload = sections[at]
    match rng.randrange(12):
        case 0:
            sections.insert(rng.randrange(len(sections) + 1), sections[at])
        case 1:
            del sections[at]
        case 2:
            other = rng.randrange(len(sections))
            sections[at], sections[other] = sections[other], sections[at]
        case 3:
            tags = (b"HEADER  ", b"SCALE   ", b"BATCH   ", b"END     ", b"\xff" * 8)
            sections[at] = rng.choice(tags), payload
        case 4 | 5 | 6 | 7 | 8:
            sections[at] = tag, _with_changed_head(tag, payload, version, rng)
        case 9 | 10 if version == 1:
            sections[at] = tag, _with_changed_tensors(payload, rng)
        case _:
            sections[at] = tag, mutate_bytes(payload, rng)
    return data[:_START] + b"".join(_section(*section, version) for section in sections)


def mutate_npy(data: bytes, rng: random.Random) -> bytes:
    """Change the header of an NPY file, version 1, or its samples; its length is recomputed."""
    if rng.random() < 0.2:
        return mutate_bytes(data, rng)
    (length,) = struct.unpack("<H", data[8:10])
    header, samples = data[10 : 10 + length].decode("latin-1"), data[10 + length :]
    replacements = (
        ("}", "(" * rng.choice((1, 100, 4000))),
        ("(", "(" + f"{rng.choice((0, -1, 10**9, 1 << 62, 10**30))}, "),
        ("'<f8'", rng.choice(("'|O'", "'<f2'", "'<c16'", "'V0'", "[('a', '<f8')]", "'<f8x'"))),
        ("'<f8'", rng.choice(("('<f8', (1000, 1000))", "'<U9'", "'<M8[s]'", "3", "None", "'>i4'"))),
        ("False", rng.choice(("True", "1", "None", "0L", "x"))),
        ("'shape'", "'form'"),
        (",", rng.choice(("", "\n", "\x00", '"""', "'", "#", "\\"))),
        ("{", "{" * rng.choice((2, 3000))),
    )
    old, new = rng.choice(replacements)
    changed = header.replace(old, new, 1) if rng.random() < 0.9 else mutate_text(header, rng)
    text = changed.encode("latin-1", "replace")[: (1 << 16) - 1]
    return data[:8] + struct.pack("<H", len(text)) + text + samples


def mutate_npz(data: bytes, rng: random.Random) -> bytes:
    """Change a member of an NPZ archive, or leave one out; every CRC is recomputed."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(list(members))
    match rng.randrange(6):
        case 0:
            del members[name]
        case 1:
            members[name] = members[rng.choice(list(members))]
        case 2 if "head.npy" in members:
            members["head.npy"] = _with_changed_text_array(members["head.npy"], rng)
        case 3:
            members[name] = mutate_bytes(members[name], rng)
        case _:
            members[name] = mutate_npy(members[name], rng)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for each, content in members.items():
            archive.writestr(each, content)
    return out.getvalue()


def mutate_text(text: str, rng: random.Random) -> str:
    """Change a few characters of a text."""
    return mutate_bytes(text.encode("utf-8"), rng).decode("utf-8", "replace")


def mutate_yaml(data: bytes, rng: random.Random) -> bytes:
    """Change a line of a YAML document, or put a construct there that parsers stumble on."""
    lines = data.decode().splitlines()
    at = rng.randrange(len(lines) + 1)
    key = lines[at % len(lines)].partition(":")[0] if lines else "a"
    bomb = "\n".join(
        ["l0: &l0 [x, x]", *(f"l{k}: &l{k} [{', '.join([f'*l{k - 1}'] * 9)}]" for k in range(1, 9))]
    )
    scalar = rng.choice(("2024-13-45", "0b", "1:99:99", ".inf", ".nan", "!!int x", "!!float ''"))
    constructs = (
        f"{key}: {scalar}",
        f"{key}: {'9' * 5000}",
        f"{key}: {'[' * _DEEP}",
        "\n".join("  " * depth + "a:" for depth in range(200)),
        "a: &a {<<: *a}",
        "a: &a [*a]",
        "<<: 3",
        f"{key}: !!python/object/apply:os.system [true]",
        f"{key}: !!binary xx",
        f"{key}: {rng.choice(_VALUES)!r}",
        "? [1, 2]\n: 3",
        "--- a\n--- b",
        "%YAML 9.9",
        f"{key}: *nowhere",
        f"{key}: \x07",
        bomb,
    )
    if rng.random() < 0.25:
        return mutate_bytes(data, rng)
    lines[at:at] = [rng.choice(constructs)]
    if rng.random() < 0.5 and at + 1 < len(lines):
        del lines[at + 1]
    return "\n".join(lines).encode() + b"\n"


CHECKSUMMED: dict[str, Mutation] = {
    "miner": mutate_model,
    "cosine": mutate_model,
    "part": mutate_model,
    "history": mutate_json,
    "npy": mutate_npy,
    "checkpoint": mutate_npz,
    "records": mutate_lines_of_json,
    "yaml": mutate_yaml,
}
"""Mutations by the kind of file."""


def _with_changed_entry(document: Any, rng: random.Random) -> Any:
    """A JSON value with one entry replaced, removed, renamed or doubled."""
    places = list(_places(document))
    if not places:
        return copy.deepcopy(rng.choice(_VALUES))
    holder, key = rng.choice(places)
    match rng.randrange(8):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[rng.choice(("", "x", key.upper(), key + "_"))] = holder.pop(key)
        case 2 if isinstance(holder, list):
            holder[key:key] = copy.deepcopy([holder[key]] * rng.choice((1, 2, 9, 100)))
        case 3 if isinstance(holder[key], (int, float)) and not isinstance(holder[key], bool):
            holder[key] = _changed_number(holder[key], rng)
        case _:
            holder[key] = copy.deepcopy(rng.choice(_VALUES))
    return document


def _changed_number(number: float, rng: random.Random) -> float:
    choices = (
        number + 1,
        number - 1,
        -number,
        number * 2,
        number * 1.5,
        float(number),
        number + 1e9,
    )
    return rng.choice(choices)


def _places(document: Any) -> list[tuple[Any, Any]]:
    """Every list or dict of a JSON value with every key into it."""
    found: list[tuple[Any, Any]] = []
    keys = range(len(document)) if isinstance(document, list) else document
    if isinstance(document, (list, dict)):
        for key in keys:
            found += [(document, key), *_places(document[key])]
    return found


def _sections(data: bytes, version: int) -> list[tuple[bytes, bytes]]:
    """Tag and payload of every section of a good model file."""
    found, at = [], _START
    while at + _PREFIX.size <= len(data):
        tag, length = _PREFIX.unpack_from(data, at)
        begin = at + _PREFIX.size
        found.append((tag, data[begin : begin + length]))
        at = begin + length + DIGESTS[version]
    return found


def _section(tag: bytes, payload: bytes, version: int) -> bytes:
    prefix = _PREFIX.pack(tag, len(payload))
    return prefix + payload + hashlib.sha256(prefix + payload).digest()[: DIGESTS[version]]


def _with_changed_head(tag: bytes, payload: bytes, version: int, rng: random.Random) -> bytes:
    """A section's payload whose JSON, up to the first line break, is changed.

    Of cosine blocks, a header is inflated first, and packed numbers behind the line change too.
    """
    if version > 1 and tag.strip() == b"HEADER":
        return zlib.compress(mutate_json(zlib.decompress(payload), rng))
    if version > 1 and rng.random() < 0.8:
        start = payload.find(b"\n") + 1
        numbers = bytearray(payload)
        for _ in range(rng.choice((1, 1, 2, 3))):
            if start < len(numbers):
                at = rng.randrange(start, min(start + 48, len(numbers)))
                numbers[at] = rng.choice((0, 1, 2, 3, 64, 127, 128, 255, rng.randrange(256)))
        return bytes(numbers)
    head, newline, rest = payload.partition(b"\n")
    return (mutate_json(head, rng) if head else b"{}") + newline + rest


def _with_changed_tensors(payload: bytes, rng: random.Random) -> bytes:
    """A section's payload whose safetensors part is changed: its JSON header or its numbers."""
    head, newline, packed = payload.partition(b"\n")
    if len(packed) < 8:
        return mutate_bytes(payload, rng)
    (length,) = struct.unpack("<Q", packed[:8])
    header, numbers = packed[8 : 8 + length], packed[8 + length :]
    if rng.random() < 0.5:
        header = mutate_json(header.rstrip(), rng)
        if rng.random() < 0.9:
            length = len(header)
    elif numbers:
        span = min(rng.choice((1, 4, 8)), len(numbers))
        at = rng.randrange(len(numbers) - span + 1)
        filler = rng.choice((b"\xff" * span, b"\x00" * span, rng.randbytes(span)))
        numbers = numbers[:at] + filler + numbers[at + span :]
    return head + newline + struct.pack("<Q", length) + header + numbers


def _with_changed_text_array(data: bytes, rng: random.Random) -> bytes:
    """An NPY file of bytes that are JSON, with the JSON changed and its shape to match."""
    (length,) = struct.unpack("<H", data[8:10])
    text = mutate_json(data[10 + length :], rng)
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({len(text)},), }}\n".encode()
    return data[:8] + struct.pack("<H", len(header)) + header + text
