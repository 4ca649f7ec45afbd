"""A file of the wrong kind is answered with what it is, what is needed and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from eval.clouds.files import CLOUD_SUFFIXES
from geom_miner.file_kinds import KINDS, describe_wrong_kind, kind_of_file
from geom_miner.media.images import IMAGE_SUFFIXES
from geom_miner.media.samples import WRITERS as SAMPLE_WRITERS
from geom_miner.mesh.files import MESH_SUFFIXES


def test_every_suffix_has_one_kind_and_is_in_lower_case() -> None:
    suffixes = [suffix for kind in KINDS.values() for suffix in kind]
    assert len(set(suffixes)) == len(suffixes)
    assert all(s.startswith(".") and s == s.lower() for s in suffixes)


def test_what_is_read_and_written_has_its_kind() -> None:
    assert {kind_of_file(f"a{s}") for s in MESH_SUFFIXES} == {"mesh"}
    assert {kind_of_file(f"a{s}") for s in IMAGE_SUFFIXES} == {"image"}
    assert {kind_of_file(f"a{s}") for s in CLOUD_SUFFIXES} == {"mesh", "point cloud", "array"}
    assert {kind_of_file(f"a{s}") for s in SAMPLE_WRITERS} == {"volume", "array"}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("scan.las", "point cloud"),
        ("SCAN.LAZ", "point cloud"),
        ("head.nii", "volume"),
        ("head.nii.gz", "volume"),
        ("v1.2.stl", "mesh"),
        ("points.gz", "archive"),
        ("a.las.gz", "point cloud"),
        ("a.unheard.gz", "archive"),
        ("a.miner", "model"),
        ("no suffix", None),
        ("a.unheard", None),
        (".las", None),
    ],
)
def test_the_kind_of_a_name(name: str, kind: str | None) -> None:
    assert kind_of_file(Path("folder.ply") / name) == kind


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "a.las",
            "a.las is a point cloud (LAS) and must be a mesh (.ply, .stl) or an image (.png); "
            "convert it to PLY or XYZ and make a mesh of it with `geom-miner reconstruct`",
        ),
        (
            "a.xyz",
            "a.xyz is a point cloud (XYZ) and must be a mesh (.ply, .stl) or an image (.png); "
            "make a mesh of it with `geom-miner reconstruct`",
        ),
        (
            "a.heic",
            "a.heic is an image (HEIC), a format that is not read; convert it to one of .png",
        ),
        (
            "a.foo",
            "a.foo has the unknown suffix .foo and must be a mesh (.ply, .stl) or an image (.png); "
            "convert it or rename it",
        ),
        (
            "a",
            "a has no suffix and must be a mesh (.ply, .stl) or an image (.png); "
            "convert it or rename it",
        ),
    ],
)
def test_the_sentence(name: str, sentence: str) -> None:
    takes = {"mesh": (".ply", ".stl"), "image": (".png",)}
    assert describe_wrong_kind(name, takes) == sentence


@pytest.mark.parametrize("kind", ["mesh", "image"])
def test_where_a_model_is_needed_one_is_fitted(kind: str) -> None:
    sentence = describe_wrong_kind(f"a{KINDS[kind][0]}", {"model": (".miner",)})
    assert sentence.endswith("a model (.miner); fit a model to it first with `geom-miner fit`")
