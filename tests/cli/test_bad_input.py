"""Whatever is wrong: one sentence on standard error, status 1, earlier results untouched."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geom_miner.storage.writer import part_path
from tests.cli.conftest import SMALL_CUBE, TINY, Outcome, Run

OLD = b"an earlier result"


def ply(vertices: object, faces: object, promised: int | None = None) -> bytes:
    """A little-endian PLY whose header may promise another number of faces."""
    points, corners = np.array(vertices, "<f4").reshape(-1, 3), np.array(faces, "<i4")
    rows = np.empty(len(corners.reshape(-1, 3)), dtype=[("n", "u1"), ("c", "<i4", (3,))])
    rows["n"], rows["c"] = 3, corners.reshape(-1, 3)
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {len(points)}"]
    lines += [f"property float {axis}" for axis in "xyz"]
    lines += [f"element face {len(rows) if promised is None else promised}"]
    lines += ["property list uchar int vertex_indices", "end_header", ""]
    return "\n".join(lines).encode() + points.tobytes() + rows.tobytes()


CORNERS = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
FACES = [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]

BAD_MESHES: dict[str, tuple[str, bytes | None]] = {
    "missing": ("absent.ply", None),
    "empty file": ("empty.ply", b""),
    "cut": ("cut.ply", ply(CORNERS, FACES)[:-20]),
    "cut vertices": ("cut.ply", ply(CORNERS, FACES)[:-70]),
    "cut header": ("cut.ply", ply(CORNERS, FACES)[:60]),
    "promises more": ("more.ply", ply(CORNERS, FACES, promised=1_000_000_000)),
    "nan": ("nan.ply", ply([[0, 0, np.nan], *CORNERS[1:]], FACES)),
    "infinite": ("inf.ply", ply([[0, np.inf, 0], *CORNERS[1:]], FACES)),
    "index too large": ("index.ply", ply(CORNERS, [*FACES[:3], [1, 2, 4]])),
    "index negative": ("index.ply", ply(CORNERS, [*FACES[:3], [1, 2, -1]])),
    "no faces": ("points.ply", ply(CORNERS, [])),
    "nothing": ("nothing.ply", ply([], [])),
    "flat": ("flat.ply", ply([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]], FACES)),
    "one point": ("point.ply", ply([[1, 1, 1]] * 4, FACES)),
    "text": ("text.ply", b"this is no mesh at all\n" * 50),
    "extension": ("mesh.xyz", ply(CORNERS, FACES)),
    "no extension": ("mesh", ply(CORNERS, FACES)),
    "text as stl": ("text.stl", b"this is no mesh at all\n" * 50),
    "text as obj": ("text.obj", b"this is no mesh at all\n" * 50),
    "text as glb": ("text.glb", b"this is no mesh at all\n" * 50),
    "no image": ("photo.png", b"this is no image at all"),
    "empty image": ("photo.png", b""),
    "cut image": ("photo.png", b"\x89PNG\r\n\x1a\n" + bytes(40)),
}


def assert_one_sentence(outcome: Outcome, *, notes: bool = False) -> None:
    """One line that begins with ``error:``; before it at most notes on the work so far."""
    assert outcome.status == 1, outcome
    assert outcome.out == ""
    lines = [line for line in outcome.err.splitlines() if line.strip()]
    # On a busy machine a stage may have lasted long enough for a line of its own.
    lines = [line for line in lines if not line.endswith(" ...")]
    assert lines[-1].startswith("error: ")
    assert sum(line.startswith("error: ") for line in lines) == 1
    assert "Traceback" not in outcome.err
    if not notes:
        assert len(lines) == 1, outcome.err


@pytest.mark.parametrize(("name", "content"), BAD_MESHES.values(), ids=BAD_MESHES)
def test_bad_sources(tmp_path: Path, run: Run, name: str, content: bytes | None) -> None:
    source, model, archive = tmp_path / name, tmp_path / "m.miner", tmp_path / "o.npz"
    if content is not None:
        source.write_bytes(content)
    for old in (model, archive, part_path(model)):
        old.write_bytes(OLD)
    assert_one_sentence(run("fit", source, "-o", model, *TINY, *SMALL_CUBE))
    assert_one_sentence(run("voxelize", source, "-o", archive, *SMALL_CUBE))
    assert {path.name for path in tmp_path.iterdir()} - {name} == {
        *("m.miner", "m.miner.part", "o.npz")
    }
    assert {old.read_bytes() for old in (model, archive, part_path(model))} == {OLD}


def test_the_sentence_names_the_file_and_the_trouble(tmp_path: Path, run: Run) -> None:
    source = tmp_path / "more.ply"
    source.write_bytes(BAD_MESHES["promises more"][1] or b"")
    outcome = run("voxelize", source)
    assert "more.ply" in outcome.err
    assert "cut short" in outcome.err


Break = Callable[[bytes], bytes]

BAD_MODELS: dict[str, tuple[Break, str]] = {
    "empty": (lambda whole: b"", "empty"),
    "cut in the signature": (lambda whole: whole[:5], "not a geom_miner model"),
    "cut in the version": (lambda whole: whole[:10], "cut short"),
    "cut in the header": (lambda whole: whole[:40], "cut short"),
    "cut in a scale": (lambda whole: whole[:-200], "cut short"),
    "foreign": (lambda whole: b"PK\x03\x04" + whole, "not a geom_miner model"),
    "newer": (lambda whole: whole[:8] + struct.pack("<I", 99) + whole[12:], "version 99"),
    "flipped": (lambda whole: whole[:-300] + bytes([whole[-300] ^ 1]) + whole[-299:], "damaged"),
}


@pytest.mark.parametrize(("damage", "word"), BAD_MODELS.values(), ids=BAD_MODELS)
def test_bad_models(made: Path, tmp_path: Path, run: Run, damage: Break, word: str) -> None:
    model, old = tmp_path / "bad.miner", tmp_path / "old.npy"
    model.write_bytes(damage((made / "sphere.miner").read_bytes()))
    old.write_bytes(OLD)
    np.save(tmp_path / "points.npy", np.zeros((2, 3)))
    for arguments in (
        ("extract", model, "-o", tmp_path / "meshes"),
        ("decode", model, "-o", old),
        ("query", model, tmp_path / "points.npy", "-o", old),
    ):
        outcome = run(*arguments)
        assert_one_sentence(outcome)
        assert word in outcome.err
    assert old.read_bytes() == OLD
    assert not (tmp_path / "meshes").exists()


@pytest.mark.parametrize("command", ["extract", "decode", "info"])
def test_missing_models_and_folders(tmp_path: Path, run: Run, command: str) -> None:
    for model in (tmp_path / "absent.miner", tmp_path):
        output = [] if command == "info" else ["-o", tmp_path / "out.npy"]
        assert_one_sentence(run(command, model, *output))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--lod", "2"], "scales 0 to 1"),
        (["--lod", "-1"], "scales 0 to 1"),
        (["--region", "0:4"], "region must be start:stop"),
        (["--region", "0:4,1:2,abc"], "region must be start:stop"),
        (["--region", "0:4,1:2,3:4,5:6"], "region must be start:stop"),
        (["--region", "0:4,1:2,3:400"], "region must lie inside"),
        (["--region", "4:4,1:2,3:4"], "region must lie inside"),
        (["--region", "0-4"], "region must be start:stop"),
    ],
)
def test_bad_regions_and_levels(
    made: Path, tmp_path: Path, run: Run, arguments: list[str], word: str
) -> None:
    old = tmp_path / "old.npy"
    old.write_bytes(OLD)
    outcome = run("decode", made / "sphere.miner", "-o", old, *arguments)
    assert_one_sentence(outcome)
    assert word in outcome.err
    assert old.read_bytes() == OLD


@pytest.mark.parametrize("lod", ["", "abc", "0,x", "9", "0,9", "-1"])
def test_bad_levels_to_extract(made: Path, tmp_path: Path, run: Run, lod: str) -> None:
    old = tmp_path / "lod_0.ply"
    old.write_bytes(OLD)
    assert_one_sentence(run("extract", made / "sphere.miner", "-o", tmp_path, f"--lod={lod}"))
    assert old.read_bytes() == OLD


def test_bad_presets(made: Path, tmp_path: Path, run: Run) -> None:
    model = tmp_path / "m.miner"
    model.write_bytes(OLD)
    for preset in ("nonsense", "", "Volume"):
        outcome = run("fit", made / "sphere.ply", "-o", model, f"--preset={preset}")
        assert_one_sentence(outcome)
        assert (
            "preset must be one of surface, exact, compact, volume, fast, fine, image"
            in outcome.err
        )
    assert model.read_bytes() == OLD


def test_an_image_has_no_mesh(made: Path, tmp_path: Path, run: Run) -> None:
    outcome = run("extract", made / "photo.miner", "-o", tmp_path / "meshes")
    assert_one_sentence(outcome)
    assert "holds no volume" in outcome.err


@pytest.mark.parametrize("name", ["out.jpg", "out", "out.png", "out.tif"])
def test_a_volume_is_no_picture(made: Path, tmp_path: Path, run: Run, name: str) -> None:
    assert_one_sentence(run("decode", made / "sphere.miner", "-o", tmp_path / name))
    assert list(tmp_path.iterdir()) == []


def bad_points(path: Path, what: str) -> None:
    if what == "text":
        path.write_text("1 2 3\n")
    elif what == "empty":
        path.write_bytes(b"")
    elif what == "cut":
        np.save(path, np.zeros((100, 3)))
        path.write_bytes(path.read_bytes()[:-100])
    elif what == "objects":
        np.save(path, np.array([{}, None], dtype=object), allow_pickle=True)
    elif what == "words":
        np.save(path, np.array(["a", "b"]))
    elif what == "folder":
        path.mkdir()
    elif what != "missing":
        shapes = {"two axes": (5, 2), "four axes": (5, 4), "one row": (3,), "cube": (2, 2, 3)}
        filler = {"nan": np.nan, "infinite": np.inf}.get(what, 0.5)
        np.save(path, np.full(shapes.get(what, (5, 3)), filler))


@pytest.mark.parametrize(
    "what",
    [
        *("missing", "folder", "text", "empty", "cut", "objects", "words"),
        *("two axes", "four axes", "one row", "cube", "nan", "infinite"),
    ],
)
def test_bad_points(made: Path, tmp_path: Path, run: Run, what: str) -> None:
    points, old = tmp_path / "points.npy", tmp_path / "values.npy"
    bad_points(points, what)
    old.write_bytes(OLD)
    assert_one_sentence(run("query", made / "sphere.miner", points, "-o", old))
    assert old.read_bytes() == OLD


def commands_that_write(made: Path, output: Path) -> list[tuple[object, ...]]:
    points = output.parent / "points.npy" if output.parent.is_dir() else made / "points.npy"
    np.save(points, np.zeros((1, 3)))
    return [
        ("voxelize", made / "sphere.ply", "-o", output, *SMALL_CUBE),
        ("fit", made / "photo.png", "-o", output, *TINY),
        ("decode", made / "sphere.miner", "-o", output),
        ("decode", made / "photo.miner", "-o", output.with_suffix(".png")),
        ("query", made / "sphere.miner", points, "-o", output),
    ]


@pytest.mark.parametrize("where", ["below a file", "no folder", "proc"])
def test_places_that_cannot_be_written(made: Path, tmp_path: Path, run: Run, where: str) -> None:
    file = tmp_path / "file"
    file.write_bytes(OLD)
    folder = {"below a file": file, "no folder": tmp_path / "absent", "proc": Path("/proc/absent")}
    output = folder[where] / "out.npy"
    for arguments in commands_that_write(made, output):
        assert_one_sentence(run(*arguments), notes=True)
    if where != "no folder":
        for target in (folder[where], output):
            assert_one_sentence(run("extract", made / "sphere.miner", "-o", target))
    assert file.read_bytes() == OLD
    assert {path.name for path in tmp_path.iterdir()} == {"file"}


def test_outputs_that_are_folders(made: Path, tmp_path: Path, run: Run) -> None:
    output = tmp_path / "out.npy"
    output.mkdir()
    output.with_suffix(".png").mkdir()
    for arguments in commands_that_write(made, output):
        assert_one_sentence(run(*arguments), notes=True)
    (tmp_path / "meshes" / "lod_1.ply").mkdir(parents=True)
    extract = run("extract", made / "sphere.miner", "-o", tmp_path / "meshes", "--lod", 1)
    assert_one_sentence(extract)
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    assert names == {"out.npy", "out.png", "meshes", "meshes/lod_1.ply", "points.npy"}


def test_pictures_with_odd_samples(tmp_path: Path, run: Run) -> None:
    Image.fromarray(np.zeros((8, 8), dtype=np.float32)).save(tmp_path / "float.tif")
    outcome = run("fit", tmp_path / "float.tif", "-o", tmp_path / "m.miner", *TINY)
    if outcome.status:
        assert_one_sentence(outcome)
