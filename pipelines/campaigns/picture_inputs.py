"""PNG files by their grammar, their checksums right, and damaged BMP, TIFF, JPEG and WebP files."""

from __future__ import annotations

import io
import struct
import zlib

from pipelines.campaigns.dice import Dice
from pipelines.campaigns.mutations import mutate_bytes

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MODES = {
    ".jpg": ("L", "RGB", "CMYK"),
    ".webp": ("RGB", "RGBA"),
    ".bmp": ("1", "L", "P", "RGB"),
    ".tif": ("1", "L", "I;16", "P", "RGB", "F"),
}
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def make_png(dice: Dice) -> bytes:
    """A PNG file of a few pixels."""
    color = dice.any((0, 2, 3, 4, 6))
    depth = dice.any({0: (1, 8, 16), 3: (1, 4, 8)}.get(color, (8, 16)))
    width, height = dice.any((1, 5, 16)), dice.any((1, 4, 9))
    row = -(-width * _CHANNELS[color] * depth // 8)
    filters = [dice.one(dice.any((0, 1, 2, 3, 4)), 5, 255) for _ in range(height)]
    rows = b"".join(bytes([one]) + dice.rng.randbytes(row) for one in filters)
    head = struct.pack(
        ">IIBBBBB",
        *(dice.whole(width), dice.whole(height)),
        *(dice.one(depth, 0, 3, 32), dice.one(color, 1, 5, 7), dice.one(0, 1), dice.one(0, 1)),
        dice.one(0, 1, 2),
    )
    chunks = [(b"IHDR", head)]
    if color == 3:
        chunks.append((b"PLTE", dice.rng.randbytes(3 * dice.one(1 << depth, 0, 300))))
    chunks += _ancillary(dice, color)
    packed = dice.cut(zlib.compress(dice.cut(rows)))
    half = len(packed) // 2
    chunks += [(b"IDAT", packed)] if not dice.odd() else [(b"IDAT", packed[:half]), (b"IDAT", b"")]
    chunks.append((b"IEND", b""))
    if dice.odd():
        chunks.insert(dice.rng.randrange(len(chunks)), dice.any(chunks))
    content = _SIGNATURE + b"".join(_chunk(dice, tag, data) for tag, data in chunks)
    return dice.cut(content)


def _chunk(dice: Dice, tag: bytes, data: bytes) -> bytes:
    name = dice.one(tag, b"IDAT", b"tEXt", b"\0\0\0\0", b"IHDR")
    length = dice.whole(len(data)) if dice.odd(0.5) else len(data)
    check = zlib.crc32(name + data) if not dice.odd(0.3) else 0
    return struct.pack(">I", length) + name + data + struct.pack(">I", check)


def _ancillary(dice: Dice, color: int) -> list[tuple[bytes, bytes]]:
    """Chunks that decide little, and those whose contents unpack to much."""
    bomb = zlib.compress(bytes(1 << 22), 9)
    possible = (
        (b"tRNS", b"\0\1" if color == 0 else b"\0\1\0\2\0\3" if color == 2 else b"\xff\0"),
        (b"gAMA", struct.pack(">I", dice.whole(45455))),
        (b"sBIT", b"\x05" * _CHANNELS[color]),
        (b"tEXt", b"Title\0" + b"\xff\x1b[31m"),
        (b"zTXt", b"Title\0\0" + bomb),
        (b"iTXt", b"Title\0\1\0\0\0" + bomb),
        (b"iCCP", b"profile\0\0" + bomb),
        (b"acTL", struct.pack(">II", dice.whole(2), 0)),
        (b"fcTL", struct.pack(">IIIIIHHBB", 0, *(dice.whole(4) for _ in range(4)), 1, 1, 0, 0)),
        (b"eXIf", b"MM\0*\0\0\0\x08\xff\xff"),
    )
    return [chunk for chunk in possible if dice.odd()]


def make_picture(dice: Dice, suffix: str) -> bytes:
    """A small picture of another format, seldom with a few bytes changed."""
    from PIL import Image

    modes = _MODES[suffix]
    picture = Image.new("RGB", (dice.any((1, 7, 16)), dice.any((1, 5))), (200, 40, 9))
    chosen = dice.any(modes)
    picture = picture.convert("L").convert(chosen) if chosen == "I;16" else picture.convert(chosen)
    stream = io.BytesIO()
    options = {"compression": dice.any(("raw", "tiff_lzw", "packbits"))} if suffix == ".tif" else {}
    form = {".jpg": "JPEG", ".webp": "WEBP", ".bmp": "BMP", ".tif": "TIFF"}[suffix]
    picture.save(stream, form, **options)
    content = stream.getvalue()
    if not dice.odd(10):
        return content
    if dice.rng.random() < 0.6:
        # Fields of the header decide the most.
        at = dice.rng.randrange(min(60, len(content) - 4))
        field = struct.pack("<I", dice.whole(int.from_bytes(content[at : at + 4], "little")))
        content = content[:at] + field + content[at + 4 :]
    return dice.cut(mutate_bytes(content, dice.rng) if dice.rng.random() < 0.5 else content)
