"""What kind of content a file has by its suffix, and what to do with one of another kind.

One table names the suffixes of formats that exist, whether they are read here or not, so that a
file of the wrong kind is answered with what it is and where it can be used.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

StrPath = str | os.PathLike[str]

KINDS: dict[str, tuple[str, ...]] = {
    "mesh": (
        *(".ply", ".obj", ".stl", ".off", ".glb", ".gltf", ".3mf", ".amf", ".fbx", ".dae", ".3ds"),
        *(".blend", ".usd", ".usda", ".usdc", ".usdz", ".x3d", ".wrl", ".vtk", ".vtp", ".vtu"),
        *(".msh", ".mesh", ".inp", ".step", ".stp", ".iges", ".igs", ".brep", ".3dm", ".ifc"),
        *(".sldprt", ".ipt", ".jt", ".skp", ".max", ".ma", ".mb", ".c4d", ".lwo", ".ctm", ".drc"),
    ),
    "image": (
        *(".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".heic", ".heif", ".avif"),
        *(".gif", ".jp2", ".j2k", ".jxl", ".exr", ".hdr", ".psd", ".svg", ".tga", ".ppm", ".pgm"),
        *(".pbm", ".pnm", ".ico", ".dds", ".ktx", ".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf"),
    ),
    "point cloud": (
        *(".xyz", ".las", ".laz", ".e57", ".pcd", ".pts", ".ptx", ".ptg", ".asc", ".xyzn"),
        *(".xyzrgb", ".fls", ".rcp", ".rcs"),
    ),
    "volume": (
        *(".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha", ".mhd", ".dcm", ".dicom", ".vdb", ".nvdb"),
        *(".mrc", ".map", ".h5", ".hdf5", ".zarr", ".vti", ".am", ".raw", ".vol"),
    ),
    "model": (".miner",),
    "array": (".npy", ".npz", ".mat"),
    "text": (".txt", ".csv", ".tsv", ".dat", ".json", ".yaml", ".yml", ".md"),
    "archive": (".zip", ".gz", ".bz2", ".xz", ".zst", ".tar", ".tgz", ".7z", ".rar"),
}
"""Suffixes in lower case by the kind of their content. A PLY file may also hold a point cloud."""

_CLOUD_REMEDY = "make a mesh of it with `geom-miner reconstruct`"
# What to do with a file of a kind that is not taken.
_REMEDIES = {
    "mesh": "give the mesh to `geom-miner fit` or `geom-miner voxelize`",
    "image": "give the image to `geom-miner fit`",
    "point cloud": f"convert it to PLY or XYZ and {_CLOUD_REMEDY}",
    "volume": "make a mesh of its surface with a program for volumes, such as 3D Slicer, and give "
    "that",
    "model": "write its meshes with `geom-miner extract`, or its samples with `geom-miner decode`",
    "array": "if it holds points, make a mesh of them with `geom-miner reconstruct`; fit samples "
    "in Python with geom_miner.fit_signal",
    "text": f"if it holds points, rename it to .xyz and {_CLOUD_REMEDY}",
    "archive": "unpack it and give the file inside",
}
# The same where only a model is taken.
_REMEDIES_FOR_MODEL = {
    "mesh": "fit a model to it first with `geom-miner fit`",
    "image": "fit a model to it first with `geom-miner fit`",
}


def kind_of_file(path: StrPath) -> str | None:
    """The kind of a file by its suffix, or None for an unknown one."""
    kind, _ = _kind_and_suffix(Path(path))
    return kind


def describe_wrong_kind(path: StrPath, takes: Mapping[str, Sequence[str]]) -> str:
    """The sentence for a file that cannot be read: what it is, what is needed, what to do.

    Parameters
    ----------
    takes : suffixes that are read, by kind; all kinds that would do.
    """
    kind, suffix = _kind_and_suffix(Path(path))
    needed = " or ".join(
        f"{_with_article(name)} ({', '.join(suffixes)})" for name, suffixes in takes.items()
    )
    if kind is None:
        ending = f"has the unknown suffix {suffix}" if suffix else "has no suffix"
        return f"{path} {ending} and must be {needed}; convert it or rename it"
    what = f"{path} is {_with_article(kind)} ({suffix[1:].upper()})"
    if kind in takes:
        return f"{what}, a format that is not read; convert it to one of {', '.join(takes[kind])}"
    remedies = _REMEDIES_FOR_MODEL if set(takes) == {"model"} else {}
    remedy = remedies.get(kind, _REMEDIES[kind])
    if suffix == ".xyz":
        remedy = _CLOUD_REMEDY
    return f"{what} and must be {needed}; {remedy}"


def _kind_and_suffix(path: Path) -> tuple[str | None, str]:
    """The kind and the suffix that tells it, with the ``.gz`` of a compressed file."""
    *before, last = [suffix.lower() for suffix in path.suffixes[-2:]] or [""]
    inner = before[0] if before and last == ".gz" else ""
    # A compressed file is of the kind that its content is.
    for tells, whole in ((inner + last, inner + last), (inner, inner + last), (last, last)):
        for kind, suffixes in KINDS.items():
            if tells in suffixes:
                return kind, whole
    return None, last


def _with_article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
