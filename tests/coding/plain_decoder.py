"""A slow decoder in plain Python, written from "Entropy coding" of docs/format.md alone.

It shares nothing with the package but the files of priors. Its names are those of the page.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from itertools import product
from pathlib import Path

KNOTS = [22, 36, 60, 98, 162, 267, 439, 720, 1179, 1921, 3108, 4971, 7812, 11955, 17625, 24743]
KNOTS += [32768, 40793, 47911, 53581, 57724, 60565, 62428, 63615, 64357, 64816, 65097, 65269]
KNOTS += [65374, 65438, 65476, 65500, 65514]
SQUASH = [
    (KNOTS[i >> 7] * (128 - (i & 127)) + KNOTS[(i >> 7) + 1] * (i & 127) + 64) >> 7
    for i in range(4096)
]


def stretch_table() -> list[int]:
    table, at = [], 0
    for i in range(4096):
        while at < 4096 and SQUASH[at] < 16 * i + 8:
            at += 1
        table.append(min(max(at - 2048, -2047), 2047))
    return table


STRETCH = stretch_table()
SIZES = [(13534, 72, 5), (11250, 4, 5)]  # counters, mixes, weights of a mix


class Model:
    """Counters and weights of one of the two models of a file of priors."""

    def __init__(self, priors: Path, which: int) -> None:
        content = zlib.decompress(priors.read_bytes())
        for counters, mixes, inputs in SIZES[: which + 1]:
            logits, seen = content[:counters], content[counters : 2 * counters]
            weights = struct.unpack_from(f"<{mixes * inputs}h", content, 2 * counters)
            content = content[2 * (counters + mixes * inputs) :]
        self.counters = [64 * SQUASH[max(16 * (x - 128), -2047) + 2048] for x in logits]
        self.seen = list(seen)
        self.weights = [[16 * w for w in weights[i : i + 5]] for i in range(0, len(weights), 5)]


class Decoder:
    """The arithmetic decoder with a model."""

    def __init__(self, data: bytes, model: Model) -> None:
        self.data, self.at, self.model = data + bytes(1 << 16), 4, model
        self.low, self.high = 0, 0xFFFFFFFF
        self.code = int.from_bytes(self.data[:4], "big")

    def bit(self, probability: int) -> int:
        middle = self.low + ((self.high - self.low) * probability >> 16)
        bit = int(self.code <= middle)
        if bit:
            self.high = middle
        else:
            self.low = middle + 1
        while self.low >> 24 == self.high >> 24:
            self.low = self.low << 8 & 0xFFFFFFFF
            self.high = self.high << 8 & 0xFFFFFFFF | 255
            self.code = self.code << 8 & 0xFFFFFFFF | self.data[self.at]
            self.at += 1
        return bit

    def adapt(self, counter: int, bit: int) -> None:
        model, seen = self.model, self.model.seen[counter]
        error = (0x3FFFFF if bit else 0) - model.counters[counter]
        model.counters[counter] += error * (655360 // (10 * seen + 16)) >> 16
        model.seen[counter] = min(seen + 1, max(seen, 250))

    def plain(self, counter: int) -> int:
        bit = self.bit(min(max(self.model.counters[counter] >> 6, 32), 65504))
        self.adapt(counter, bit)
        return bit

    def mixed(self, counters: list[int], mix: int) -> int:
        model, weights = self.model, self.model.weights[mix]
        logits = [STRETCH[model.counters[counter] >> 10] for counter in counters]
        total = sum(x * w for x, w in zip(logits, weights, strict=False)) >> 16
        probability = SQUASH[min(max(total, -2047), 2047) + 2048]
        bit = self.bit(probability)
        error = (bit << 16) - probability
        for i, x in enumerate(logits):
            weights[i] = min(max(weights[i] + (error * x + (1 << 18) >> 19), -(1 << 19)), 1 << 19)
        for counter in counters:
            self.adapt(counter, bit)
        return bit


def class_of(value: int) -> int:
    digits = value.bit_length()
    return value if value < 4 else min(2 * digits - 2 + (value >> digits - 2 & 1), 15)


def sign(value: int) -> int:
    return (value > 0) - (value < 0)


Frequency = tuple[int, ...]


def decode_chunk(
    data: bytes, priors: Path, block_shape: tuple[int, ...], channels: int, blocks: int
) -> list[dict[int, int]]:
    """The rows of a chunk: level by flat place."""
    decoder = Decoder(data, Model(priors, 0))
    order = scan(block_shape)
    last, average, energy = [0] * channels, [0] * channels, [0] * len(block_shape)
    rows = []
    for _ in range(blocks):
        block: list[dict[Frequency, int]] = []
        for channel in range(channels):
            kind = min(channel, 2)
            known = [class_of(last[channel]), class_of(average[channel] >> 4)]
            known.append(min(last[channel - 1].bit_length(), 15) if channel else 0)
            last[channel] = count = decode_count(decoder, kind, known, len(order))
            average[channel] += 16 * count - average[channel] + 2 >> 2
            energy = [e >> 1 for e in energy]
            block.append({})
            decode_row(decoder, order, block, channel, count, energy)
            rows.append({flat(k, block_shape): v for k, v in sorted(block[channel].items())})
    return rows


def scan(block_shape: tuple[int, ...]) -> list[tuple[Frequency, Frequency, int]]:
    """Frequencies in order, with their units and ring."""
    entries = []
    for k in product(*map(range, block_shape)):
        units = tuple(256 * k[a] // n for a, n in enumerate(block_shape))
        square = sum(u * u for u in units)
        entries.append((square, k, units, min(math.isqrt(square) >> 3, 47)))
    return [entry[1:] for entry in sorted(entries, key=lambda e: e[:2])]


def flat(k: Frequency, block_shape: tuple[int, ...]) -> int:
    place = 0
    for x, n in zip(k, block_shape, strict=True):
        place = place * n + x
    return place


def decode_count(decoder: Decoder, kind: int, known: list[int], samples: int) -> int:
    digits = 0
    while digits < samples.bit_length():
        slot = min(digits, 15)
        counters = [((kind * 3 + i) * 16 + known[i]) * 16 + slot for i in range(3)]
        if not decoder.mixed(counters, slot):
            break
        digits += 1
    count = min(digits, 1)
    for i in range(digits - 1):
        slot = 0 if i == 0 else 1 + (count & 1) if i == 1 else 3
        count = 2 * count + decoder.plain(2304 + 8 * min(digits, 15) + slot)
    return count


def decode_row(
    decoder: Decoder,
    order: list[tuple[Frequency, Frequency, int]],
    block: list[dict[Frequency, int]],
    channel: int,
    count: int,
    energy: list[int],
) -> None:
    row, kind, ndim = block[channel], min(channel, 2), len(order[0][0])
    left, total, earlier, previous = count, 0, 0, 0
    for at, (k, units, ring) in enumerate(order):
        if left == 0:
            break
        below = [tuple(x - (i == a) for i, x in enumerate(k)) for a in range(ndim)]
        near = min(sum(min(abs(row.get(b, 0)), 2) for b in below), 7)
        near_first = sum(b in block[0] for b in below) if channel else 0
        same = min(sum(min(abs(c.get(k, 0)), 2) for c in block[:channel]), 3)
        along, product_ = 0, sum(energy) * sum(units)
        if product_:
            along = 1 + min(
                3 * ndim * sum(e * u for e, u in zip(energy, units, strict=True)) // product_, 6
            )
        axes = sum(1 << a for a in range(ndim) if k[a])
        around = 4 * min(near, 3) + min(previous + earlier, 3)
        counters = [
            2432 + (kind * 16 + class_of(left)) * 48 + ring,
            4736 + ring * 16 + (8 if left < count else 0) + near,
            5504 + (class_of(left) * 16 + around) * 8 + along,
            7552 + (along * 16 + axes) * 16 + min(ring >> 1, 15),
            9600 + (kind * 12 + same * 3 + min(near_first, 2)) * 16 + (ring >> 2),
        ]
        certain = len(order) - at == left
        bit = 1 if certain else decoder.mixed(counters, 16 + kind * 16 + class_of(left))
        earlier, previous = previous, 0
        if bit:
            coded = count - left
            mean = class_of((2 * total + coded // 2) // coded) if coded else 0
            contexts = (ring, near, same, mean, class_of(left), class_of(count))
            size = decode_size(decoder, *contexts)
            row[k] = -size if decode_sign(decoder, row, below, k) else size
            for a in range(ndim):
                energy[a] += units[a]
            total, left, previous = total + size, left - 1, min(size, 2)


def decode_size(
    decoder: Decoder, ring: int, near: int, same: int, mean: int, left: int, count: int
) -> int:
    size = 1
    while size < 20:
        step = min(size, 8) - 1
        counters = [
            10176 + step * 48 + ring,
            10560 + (step * 8 + near) * 4 + same,
            10816 + (step * 16 + mean) * 16 + left,
            12864 + step * 64 + min(ring >> 3, 7) * 8 + (count >> 1),
        ]
        if not decoder.mixed(counters, 64 + step):
            return size
        size += 1
    digits = 1
    while digits < 20 and decoder.plain(13376 + digits):
        digits += 1
    value = 1
    for _ in range(digits - 1):
        value = 2 * value + decoder.bit(32768)
    return value + 19


def decode_sign(
    decoder: Decoder, row: dict[Frequency, int], below: list[Frequency], k: Frequency
) -> int:
    def at(*axes: int) -> int:
        return sign(row.get(tuple(x - axes.count(i) for i, x in enumerate(k)), 0))

    axes = range(len(k))
    one = sum(at(a) for a in axes)
    two = sum(at(a, a) for a in axes)
    corner = sum(at(a) * at(b) * at(a, b) for a in axes for b in range(a))
    one, two, corner = (min(max(value, -2), 2) + 2 for value in (one, two, corner))
    return decoder.plain(13408 + (1 + (two * 5 + corner) * 5 + one if any(k) else 0))


Coordinates = tuple[int, ...]


def decode_states(
    data: bytes, priors: Path, counts: Coordinates, parents: dict[Coordinates, int]
) -> dict[Coordinates, int]:
    """The codes of all blocks, by coordinates; those of constant parents are inherited."""
    decoder = Decoder(data, Model(priors, 1))
    codes: dict[Coordinates, int] = {}
    for block in sorted(product(*map(range, counts)), key=morton):
        parent = tuple(x >> 1 for x in block)
        codes[block] = parents[parent]
        if parents[parent] > 0:
            lower, upper = neighbors(block, codes, parents)
            codes[block] = decode_state(decoder, lower, upper, int(parents[parent] == 2))
    return codes


def morton(block: Coordinates) -> list[int]:
    return [x >> bit & 1 for bit in range(30, -1, -1) for x in block]


def neighbors(
    block: Coordinates, codes: dict[Coordinates, int], parents: dict[Coordinates, int]
) -> Iterator[list[int]]:
    def kind(code: int | None) -> int:
        return 4 if code is None else code + 1 if code > 0 else 0 if code == -1 else 1

    lower, upper = [], []
    for a, x in enumerate(block):
        below = tuple(y - (i == a) for i, y in enumerate(block))
        above = tuple((y >> 1) + (i == a) for i, y in enumerate(block))
        lower.append(kind(codes.get(below)))
        upper.append(kind(parents.get(above) if x & 1 else None))
    # The last axis is the most significant digit.
    return iter([lower[::-1], upper[::-1]])


def decode_state(decoder: Decoder, lower: list[int], upper: list[int], parent: int) -> int:
    first, second = (int("".join(map(str, kinds)), 5) for kinds in (lower, upper))
    down, up = ([kinds.count(kind) for kind in range(4)] for kinds in (lower, upper))
    varying = 5 * (down[2] + down[3]) + up[2] + up[3]
    counters = [2 * first, 1250 + 2 * second, 2500 + 2 * (5 * varying + up[0] + up[1])]
    if decoder.mixed([counter + parent for counter in counters], 0):
        third = 10000 + 2 * ((down[3] * 5 + down[2]) * 5 + up[3])
        counters = [7500 + 2 * first, 8750 + 2 * second, third]
        return 1 + decoder.mixed([counter + parent for counter in counters], 3)
    entry = 0
    third = 6250 + 2 * ((5 * down[0] + up[0]) * 25 + 5 * down[1] + up[1])
    while entry < 127:
        step = min(entry, 1)
        counters = [3750 + 2 * first + step, 5000 + 2 * second + step, third + step]
        if not decoder.mixed(counters, 1 + step):
            break
        entry += 1
    return -1 - entry
