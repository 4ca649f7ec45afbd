"""Cloud files: exact round trips, foreign layouts, and damage reported in one sentence."""

from __future__ import annotations

import re
import struct
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from eval import CloudError, PointCloud, read_cloud, write_cloud
from eval.clouds import holds_cloud
from geom_miner import write_mesh
from tests.shapes import box

Floats = npt.NDArray[np.float64]
SUFFIXES = (".ply", ".xyz", ".npy", ".npz")
POINTS = np.array([[0.5, 1.25, -2.0], [3.0, 4.5, 5.75], [1e-3, 1e5, 0.1]])
NORMALS = np.array([[0.0, 0.6, -0.8], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


def reason(path: Path) -> str:
    """The message about a file that is refused: one line with its path."""
    with pytest.raises(CloudError) as caught:
        read_cloud(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), ndim=st.sampled_from([2, 3]), oriented=st.booleans())
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_round_trips_are_exact(
    tmp_path: Path, suffix: str, data: st.DataObject, ndim: int, oriented: bool
) -> None:
    finite = st.floats(allow_nan=False, allow_infinity=False)
    shape = (data.draw(st.integers(1, 8)), ndim)
    points = data.draw(arrays(np.float64, shape, elements=finite))
    normals = np.random.default_rng(0).standard_normal(shape) if oriented else None
    cloud = PointCloud(points, normals)
    write_cloud(tmp_path / f"cloud{suffix}", cloud)
    again = read_cloud(tmp_path / f"cloud{suffix}")
    np.testing.assert_array_equal(again.points, points)
    if cloud.normals is None:
        assert again.normals is None
    else:
        # Brought to length 1 once more, which moves the last bit.
        np.testing.assert_allclose(again.normals, cloud.normals, rtol=0, atol=4e-16)


@pytest.mark.parametrize("encoding", ["ascii", "binary_little_endian", "binary_big_endian"])
@pytest.mark.parametrize("axes", ["xy", "xyz"])
@pytest.mark.parametrize("oriented", [False, True])
def test_ply_of_every_encoding(tmp_path: Path, encoding: str, axes: str, oriented: bool) -> None:
    # Colors first, a list and a number in between, in another order; then another element.
    points, normals = POINTS[:, : len(axes)], NORMALS[[1, 1, 1]][:, : len(axes)]
    names = [*axes[::-1], *(f"n{axis}" for axis in axes if oriented)]
    rows = np.hstack([points[:, ::-1], *([normals] if oriented else [])])
    header = f"ply\nformat {encoding} 1.0\ncomment a cloud\nelement vertex 3\n"
    header += "property uchar red\nproperty list uchar short seen_from\n"
    header += "".join(f"property double {name}\n" for name in names)
    header += "element camera 1\nproperty int id\nend_header\n"
    if encoding == "ascii":
        lines = [
            f"9 {k} {'7 ' * k}{' '.join(map(repr, map(float, row)))}" for k, row in enumerate(rows)
        ]
        body = "\n".join([*lines, "4"]).encode()
    else:
        order = "<" if "little" in encoding else ">"
        body = b"".join(
            struct.pack(f"{order}BB{k}h{len(row)}d", 9, k, *[7] * k, *row)
            for k, row in enumerate(rows)
        ) + struct.pack(f"{order}i", 4)
    path = tmp_path / "cloud.ply"
    path.write_bytes(header.encode() + body)
    cloud = read_cloud(path)
    np.testing.assert_array_equal(cloud.points, points)
    if oriented:
        np.testing.assert_array_equal(cloud.normals, normals)
    else:
        assert cloud.normals is None
    assert holds_cloud(path)


def test_a_mesh_is_read_as_its_vertices(tmp_path: Path) -> None:
    mesh = box()
    write_mesh(tmp_path / "box.ply", mesh)
    cloud = read_cloud(tmp_path / "box.ply")
    np.testing.assert_array_equal(cloud.points, mesh.vertices)
    assert cloud.normals is None
    assert not holds_cloud(tmp_path / "box.ply")
    assert [holds_cloud(f"a{suffix}") for suffix in (".XYZ", ".npy", ".npz", ".obj", "")] == [
        *(True, True, True),
        *(False, False),
    ]


@pytest.mark.parametrize(
    ("text", "points", "oriented"),
    [
        ("# a scan\n\n0.5 1.25 -2\n// more\n  3,4.5,\t5.75\n1e-3\t1e5 .1", POINTS, False),
        ("0.5 1.25\r\n3 4.5\r\n", POINTS[:2, :2], False),
        ("0.5 1.25 0 .99\n 3 4.5 0 1\n", POINTS[:2, :2], True),
        ("\ufeff.5 1.25 -2 0 0 1\n", POINTS[:1], True),
        # A header or a comment names the columns; normals of any length are scaled then.
        ("X Y Z R nx ny nz\n.5 1.25 -2 9 0 0 3\n", POINTS[:1], True),
        ("//X,Y,Z,R,G,B\n.5,1.25,-2,0,0,1\n", POINTS[:1], False),
        ("2\n0.5 1.25 -2\n3;4.5;5.75\n", POINTS[:2], False),
    ],
)
def test_text_as_others_write_it(tmp_path: Path, text: str, points: Floats, oriented: bool) -> None:
    path = tmp_path / "scan.xyz"
    path.write_text(text, encoding="utf-8", newline="")
    cloud = read_cloud(path)
    np.testing.assert_array_equal(cloud.points, points)
    if oriented:
        np.testing.assert_array_equal(cloud.normals, np.eye(cloud.ndim)[[-1] * len(points)])
    else:
        assert cloud.normals is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 0 0\n# fine\n1 1 one\n", "line 3, is no row of numbers: '1 1 one'"),
        ("0 0 0\n1 1\n", "line 2, has 2 numbers where the lines before have 3"),
        ("0 0 0\n1 1 1 1\n", "line 2, has 4 numbers where the lines before have 3"),
        ("0 0 0\n1 nan 1\n", "line 2, holds NaN or infinity"),
        ("0 0 0\n1 1e999 1\n", "line 2, holds NaN or infinity"),
        ("0 1_0 0\n", "is no table of numbers"),
        ("3\n0 0 0\n0 1 0\n", "has 2 points and its first line says 3"),
        ("0 0 0 0 -2 3\n", "columns 4 to 6 are no normals of length 1"),
        ("0 0 0 5\n", "columns 3 and 4 are no normals of length 1"),
        ("0 0 0 9 9\n", "2 (x y), 3 (x y z), 4 (x y nx ny) or 6"),
        ("1\n2\n", "2 (x y), 3 (x y z), 4 (x y nx ny) or 6"),
        ("# nothing\n\n", "there are no points"),
        (
            "0 0 0 0 0 0\n",
            "are no normals of length 1 (the first row has 0 0 0); say what they are",
        ),
        ("0 0 0\n\x00\x00\x00", "line 2, is no row of numbers"),
    ],
)
def test_bad_text_is_named_by_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "scan.xyz"
    path.write_text(text)
    assert message in reason(path)


@pytest.mark.parametrize("kind", ["<f4", ">f8", "<f2", "<i4", "u1"])
def test_arrays_of_every_kind_of_number(tmp_path: Path, kind: str) -> None:
    table = np.array([[1, 2, 3], [4, 5, 6]])
    np.save(tmp_path / "a.npy", np.asfortranarray(table.astype(kind)))
    np.savez_compressed(tmp_path / "a.npz", points=table.astype(kind), scale=np.ones(3))
    for suffix in ("npy", "npz"):
        cloud = read_cloud(tmp_path / f"a.{suffix}")
        np.testing.assert_array_equal(cloud.points, table)
        assert (cloud.points.dtype, cloud.normals) == (np.float64, None)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones((4, 5)), "got an array of shape (4, 5)"),
        (np.ones(6), "got an array of shape (6,)"),
        (np.ones((2, 3, 1)), "got an array of shape (2, 3, 1)"),
        (np.zeros((0, 3)), "there are no points"),
        (np.full((2, 3), np.nan), "points must be finite"),
        (np.ones((2, 3), dtype=complex), "must hold real numbers, got complex128"),
        (np.ones((2, 3), dtype=bool), "must hold real numbers, got bool"),
        (np.array([["a", "b"]]), "must hold real numbers, got <U1"),
        (np.zeros(2, dtype=[("x", "f4"), ("y", "f4")]), "must hold real numbers"),
    ],
)
def test_arrays_that_are_no_points(tmp_path: Path, array: np.ndarray, message: str) -> None:
    np.save(tmp_path / "a.npy", array)
    assert message in reason(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"vertices": np.ones((2, 3))}, "has no array named points"),
        ({"points": np.ones((2, 6))}, "points must be (n, 2) or (n, 3)"),
        ({"points": np.ones((2, 3)), "normals": np.ones((3, 3))}, "normals must be (2, 3)"),
        ({"points": np.array([["a", "b"]])}, "no complete NPZ file of numbers"),
    ],
)
def test_archives_that_are_no_points(
    tmp_path: Path, arrays: dict[str, np.ndarray], message: str
) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    assert message in reason(tmp_path / "a.npz")


class Trap:
    """Its pickle makes a folder when it is read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.mkdir, (self.folder,)  # type: ignore[return-value]


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    trapped = np.array([Trap(tmp_path / "sprung")], dtype=object)
    np.save(tmp_path / "a.npy", trapped, allow_pickle=True)
    np.savez(tmp_path / "a.npz", points=trapped)
    # The bare pickle under both names, too, and the archive under the name of an array.
    pickled = (tmp_path / "a.npy").read_bytes()[128:]
    assert pickled.startswith(b"\x80")
    (tmp_path / "b.npy").write_bytes(pickled)
    (tmp_path / "b.npz").write_bytes(pickled)
    (tmp_path / "c.npy").write_bytes((tmp_path / "a.npz").read_bytes())
    for name in ("a.npy", "a.npz", "b.npy", "b.npz", "c.npy"):
        assert "not unpickled" in reason(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("suffix", [".ply", ".npy", ".npz"])
def test_truncation_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cloud{suffix}"
    write_cloud(path, PointCloud(POINTS, NORMALS))
    whole = path.read_bytes()
    for length in (*range(0, len(whole), 5), len(whole) - 1):
        path.write_bytes(whole[:length])
        reason(path)


@given(position=st.integers(0, 10_000), byte=st.integers(0, 255))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_changed_byte_gives_a_cloud_or_one_sentence(
    tmp_path: Path, suffix: str, position: int, byte: int
) -> None:
    path = tmp_path / f"cloud{suffix}"
    write_cloud(path, PointCloud(POINTS, NORMALS))
    content = bytearray(path.read_bytes())
    content[position % len(content)] = byte
    path.write_bytes(content)
    try:
        cloud = read_cloud(path)
    except CloudError:
        reason(path)
    else:
        assert np.isfinite(cloud.points).all()


def test_promises_of_a_header_are_not_believed(tmp_path: Path) -> None:
    facts = {"descr": "<f8", "fortran_order": False, "shape": (1 << 40, 3)}
    with open(tmp_path / "a.npy", "wb") as stream:
        np.lib.format.write_array_header_1_0(stream, facts)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.write(tmp_path / "a.npy", "points.npy")
    header = "ply\nformat binary_little_endian 1.0\nelement vertex 1099511627776\n"
    header += "property double x\nproperty double y\nproperty double z\nend_header\n"
    (tmp_path / "a.ply").write_text(header)
    assert "cut short" in reason(tmp_path / "a.npy")
    assert "cut short" in reason(tmp_path / "a.ply")
    # A compressed file could hold it: the allocation is refused, or made and not used.
    assert re.search("cut short|does not fit into memory", reason(tmp_path / "a.npz"))


def test_files_that_are_not_there_or_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "folder.npy").mkdir()
    (tmp_path / "scan.las").write_text("1 2 3")
    assert "does not exist" in reason(tmp_path / "none.xyz")
    assert "is a folder" in reason(tmp_path / "folder.npy")
    assert (
        "scan.las is a point cloud (LAS), a format that is not read; convert it to one of .ply, "
        ".xyz, .pts, .asc, .npy, .npz" in reason(tmp_path / "scan.las")
    )
    for suffix in SUFFIXES:
        (tmp_path / f"empty{suffix}").touch()
        assert "is empty (0 bytes)" in reason(tmp_path / f"empty{suffix}")
    with pytest.raises(CloudError, match="does not exist"):
        holds_cloud(tmp_path / "none.ply")


def test_ply_without_coordinates(tmp_path: Path) -> None:
    header = "ply\nformat ascii 1.0\nelement vertex 1\nproperty float u\nproperty float v\n"
    (tmp_path / "a.ply").write_text(header + "end_header\n1 2\n")
    assert "no vertices with x and y" in reason(tmp_path / "a.ply")


def test_a_failed_write_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "cloud.npy"
    write_cloud(path, PointCloud(POINTS))
    before = path.read_bytes()
    with pytest.raises(CloudError, match="point cloud files must end in"):
        write_cloud(tmp_path / "cloud.obj", PointCloud(POINTS))
    with pytest.raises(CloudError, match="cannot write"):
        write_cloud(tmp_path / "nowhere" / "cloud.npy", PointCloud(POINTS))
    assert path.read_bytes() == before
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["cloud.npy"]


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "count", "oriented"), [("anchor", 85_127, True), ("brain_Ih", 50_000, False)]
)
def test_real_scans(data_dir: Path, name: str, count: int, oriented: bool) -> None:
    path = data_dir.parent / "points" / f"{name}.ply"
    if not path.is_file():
        pytest.skip(f"there is no {name}.ply in a folder points beside the meshes")
    cloud = read_cloud(path)
    assert len(cloud) == count
    assert (cloud.normals is not None) == oriented
    assert holds_cloud(path)


def test_an_archive_that_promises_more_than_it_has_takes_no_memory(tmp_path: Path) -> None:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776, 3), }"
    text = header.ljust(117) + b"\n"
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(48)
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as archive:
        archive.writestr("points.npy", content)
    assert "NPZ" in reason(tmp_path / "huge.npz")
