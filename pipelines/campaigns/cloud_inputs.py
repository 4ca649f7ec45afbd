"""Clouds as text columns, PLY, NPY and NPZ, and archives that hold a mesh."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile

import numpy as np

from pipelines.campaigns.dice import Dice
from pipelines.campaigns.mutations import mutate_bytes, mutate_npy, mutate_npz
from pipelines.campaigns.ply_inputs import make_ply


def make_cloud(dice: Dice) -> tuple[str, bytes]:
    """A suffix and a file of a few points."""
    suffix = dice.any((".xyz", ".xyz", ".npy", ".npz", ".ply"))
    if suffix == ".ply":
        return suffix, make_ply(dice)
    if suffix == ".xyz":
        return suffix, _text(dice)
    points = np.random.default_rng(dice.rng.getrandbits(32)).normal(size=(dice.any((1, 20)), 3))
    stream = io.BytesIO()
    if suffix == ".npy":
        np.save(stream, points, allow_pickle=False)
        content = stream.getvalue()
        return suffix, dice.cut(mutate_npy(content, dice.rng) if dice.odd(10) else content)
    np.savez(stream, allow_pickle=False, points=points, normals=points)
    content = stream.getvalue()
    return suffix, dice.cut(mutate_npz(content, dice.rng) if dice.odd(10) else content)


def make_npy(dice: Dice) -> bytes:
    """An NPY file of a few points."""
    stream = io.BytesIO()
    np.save(stream, np.arange(12.0).reshape(4, 3), allow_pickle=False)
    content = stream.getvalue()
    return dice.cut(mutate_npy(content, dice.rng) if dice.odd(15) else content)


def make_archive(dice: Dice) -> bytes:
    """A .gz, .tar.gz or .zip file with a mesh, or a bare mesh."""
    mesh = make_ply(dice)
    name = dice.one("a/lucy.ply", "../lucy.ply", "/lucy.ply", "C:\\a.ply", ".ply", "a" * 3000)
    stream = io.BytesIO()
    match dice.rng.randrange(4):
        case 0:
            content = gzip.compress(mesh)
        case 1:
            content = gzip.compress(_tar(dice, name, mesh))
        case 2:
            with zipfile.ZipFile(stream, "w", dice.any((0, 8, 12, 14))) as pack:
                entry = zipfile.ZipInfo(name)
                entry.external_attr = dice.one(0o100644, 0o120777, 0o20644, 0) << 16
                pack.writestr(entry, mesh)
            content = stream.getvalue()
        case _:
            content = mesh
    return dice.cut(mutate_bytes(content, dice.rng) if dice.odd(10) else content)


def _tar(dice: Dice, name: str, mesh: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=dice.any((0, 1, 2))) as tar:
        for _ in range(dice.one(1, 2)):
            entry = tarfile.TarInfo(name[:99])
            entry.size = len(mesh)
            entry.type = dice.one(b"0", b"1", b"2", b"3", b"5", b"6", b"S", b"x", b"L")
            tar.addfile(entry, io.BytesIO(mesh))
    content = stream.getvalue()
    return mutate_bytes(content, dice.rng) if dice.odd(5) else content


def _text(dice: Dice) -> bytes:
    columns = dice.one(dice.any((3, 6)), 2, 4, 5, 7, 9)
    blank = dice.one(dice.any((" ", ", ", "\t")), ";", " , ", "\x00")
    rows = [
        blank.join(dice.number(dice.rng.gauss(0, 1)) for _ in range(columns))
        for _ in range(dice.any((1, 12)))
    ]
    head = dice.one("", "# x y z", "// x", "12", "x y z", "ply", "\ufeff")
    end = dice.one("\n", "\r\n", "\r", "\x0b")
    text = end.join([*([head] if head else []), *dice.mixed(rows)]) + dice.one(end, "")
    return dice.cut(text.encode(dice.one("utf-8", "utf-16", "latin-1"), "replace"))
