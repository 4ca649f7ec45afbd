"""PLY: exact round trips, every encoding, polygons, and one-sentence errors for damaged files."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from geom_miner.errors import MeshError
from geom_miner.mesh.files import read_mesh, write_mesh
from geom_miner.mesh.triangle_mesh import TriangleMesh
from tests.shapes import box, sphere

# A square pyramid: one quadrilateral and four triangles, after a vertex with extra properties.
POINTS = [(0, 0, 0), (2, 0, 0), (2, 2, 0), (0, 2, 0), (1, 1, 2.5)]
POLYGONS = [(0, 3, 2, 1), (0, 1, 4), (1, 2, 4), (2, 3, 4), (3, 0, 4)]
FANNED = [(0, 3, 2), (0, 2, 1), (0, 1, 4), (1, 2, 4), (2, 3, 4), (3, 0, 4)]
PACK = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}


def ply(
    encoding: str,
    points: list[tuple[float, ...]],
    polygons: list[tuple[int, ...]],
    *,
    list_name: str = "vertex_indices",
    index_type: tuple[str, str] = ("int", "i"),
) -> bytes:
    """A file with properties in an unusual order, extra properties, and an extra element."""
    header = (
        f"ply\nformat {encoding} 1.0\ncomment made by a test\nobj_info nothing\n"
        f"element vertex {len(points)}\nproperty uchar red\nproperty double z\n"
        "property float x\nproperty short quality\nproperty float y\n"
        "element camera 1\nproperty list uchar float matrix\nproperty int id\n"
        f"element face {len(polygons)}\nproperty uchar flags\n"
        f"property list uchar {index_type[0]} {list_name}\nproperty float weight\nend_header\n"
    )
    if encoding == "ascii":
        rows = [f"7 {z} {x} -3 {y}" for x, y, z in points] + ["2 0.5 1.5 9"]
        rows += [f"1 {len(p)} {' '.join(map(str, p))} 0.25" for p in polygons]
        return (header + "\n".join(rows) + "\n").encode()
    order = PACK[encoding]
    body = b"".join(struct.pack(order + "Bdfhf", 7, z, x, -3, y) for x, y, z in points)
    body += struct.pack(order + "Bffi", 2, 0.5, 1.5, 9)
    for p in polygons:
        body += struct.pack(f"{order}BB{len(p)}{index_type[1]}f", 1, len(p), *p, 0.25)
    return header.encode() + body


@pytest.mark.parametrize("encoding", PACK)
@pytest.mark.parametrize("list_name", ["vertex_indices", "vertex_index"])
@pytest.mark.parametrize("index_type", [("int", "i"), ("uint", "I"), ("uchar", "B")])
def test_reads_every_encoding_and_fans_polygons(
    tmp_path: Path, encoding: str, list_name: str, index_type: tuple[str, str]
) -> None:
    path = tmp_path / "pyramid.ply"
    path.write_bytes(ply(encoding, POINTS, POLYGONS, list_name=list_name, index_type=index_type))
    mesh = read_mesh(path)
    np.testing.assert_array_equal(mesh.vertices, POINTS)
    np.testing.assert_array_equal(mesh.faces, FANNED)
    assert mesh.faces.dtype == np.int32
    assert mesh.volume == pytest.approx(4 * 2.5 / 3)


@pytest.mark.parametrize("encoding", PACK)
@pytest.mark.parametrize("corners", [3, 4, 5])
def test_equal_polygons_take_the_fast_path_to_the_same_fans(
    tmp_path: Path, encoding: str, corners: int
) -> None:
    polygons = list(itertools.permutations(range(5), corners))[:20]
    points = [(float(k), k * 0.5, -1.0) for k in range(5)]
    paths = [tmp_path / "equal.ply", tmp_path / "mixed.ply"]
    paths[0].write_bytes(ply(encoding, points, polygons))
    # Two edges at the end, which are no faces, force the path for lists of differing lengths.
    paths[1].write_bytes(ply(encoding, points, [*polygons, (0, 1), (1, 2)]))
    fast, slow = read_mesh(paths[0]), read_mesh(paths[1])
    np.testing.assert_array_equal(fast.faces, slow.faces)
    assert len(fast.faces) == len(polygons) * (corners - 2)


@given(
    vertices=npst.arrays(
        np.float32,
        st.tuples(st.integers(3, 20), st.just(3)),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
    ),
    data=st.data(),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_round_trip_is_exact(tmp_path: Path, vertices: np.ndarray, data: st.DataObject) -> None:
    corner = st.integers(0, len(vertices) - 1)
    faces = data.draw(st.lists(st.tuples(corner, corner, corner), min_size=1, max_size=20))
    mesh = TriangleMesh(vertices.astype(np.float64), np.array(faces))
    path = tmp_path / "mesh.ply"
    for double in (False, True):
        write_mesh(path, mesh, comments=["one", "two\nthree"], double=double)
        again = read_mesh(path)
        np.testing.assert_array_equal(again.vertices, mesh.vertices)
        np.testing.assert_array_equal(again.faces, mesh.faces)


def test_double_precision_keeps_every_bit_and_float_rounds(tmp_path: Path) -> None:
    mesh = TriangleMesh(sphere().vertices / 3, sphere().faces)
    write_mesh(tmp_path / "d.ply", mesh, double=True)
    write_mesh(tmp_path / "f.ply", mesh)
    np.testing.assert_array_equal(read_mesh(tmp_path / "d.ply").vertices, mesh.vertices)
    rounded = mesh.vertices.astype(np.float32)
    np.testing.assert_array_equal(read_mesh(tmp_path / "f.ply").vertices, rounded)


def test_written_header_is_plain(tmp_path: Path) -> None:
    path = tmp_path / "box.ply"
    write_mesh(path, box(), comments=["level of detail 0"])
    header = path.read_bytes().split(b"end_header\n")[0].decode().splitlines()
    assert header[:3] == ["ply", "format binary_little_endian 1.0", "comment level of detail 0"]
    assert header[3:7] == ["element vertex 8", *(f"property float {axis}" for axis in "xyz")]
    assert path.stat().st_size == sum(len(h) + 1 for h in header) + 11 + 8 * 12 + 12 * 13


def bad_files() -> dict[str, tuple[bytes, str]]:
    little = ply("binary_little_endian", POINTS, POLYGONS)
    plain = ply("ascii", POINTS, POLYGONS)
    triangles = ply("binary_little_endian", POINTS, POLYGONS[1:])
    huge = little.replace(b"vertex 5", b"vertex 99999999999999")
    return {
        "empty": (b"", "0 bytes"),
        "text": (b"Dear reader,\nthis is no mesh.\n", "not a PLY"),
        "header cut": (little[:60], "inside its header"),
        "no format": (b"ply\nelement vertex 1\nproperty float x\nend_header\n", "format line"),
        "odd line": (little.replace(b"obj_info nothing", b"shape of things"), "no PLY"),
        "odd type": (little.replace(b"double z", b"quadruple z"), "no PLY"),
        "negative count": (little.replace(b"vertex 5", b"vertex -5"), "no PLY"),
        "binary cut in faces": (triangles[:-5], r"announces 68 bytes or more .* holds 67"),
        "binary cut in polygons": (little[:-5], "cut short"),
        "binary cut in vertices": (little[: little.index(b"end_header") + 30], "cut short"),
        "announces terabytes": (huge, "announces 1,8[0-9,]* bytes"),
        "announces faces": (triangles.replace(b"face 4", b"face 4000000000"), "cut short"),
        "ascii announces": (plain.replace(b"face 5", b"face 4000000000"), "cut short"),
        "ascii cut": (plain[:-8], "cut short"),
        "ascii words": (plain.replace(b"2.5", b"two"), "something other than numbers"),
        "ascii list length": (plain.replace(b"\n1 3 ", b"\n1 3.5 "), "list of length"),
        "ascii nothing": (plain[: plain.index(b"end_header") + 11], "cut short"),
        "nan": (ply("binary_little_endian", [(float("nan"), 0, 0), *POINTS[1:]], POLYGONS), "NaN"),
        "ascii nan": (ply("ascii", [(float("nan"), 0, 0), *POINTS[1:]], POLYGONS), "NaN"),
        "infinite": (
            ply("binary_big_endian", [(0, 0, float("inf")), *POINTS[1:]], POLYGONS),
            "inf",
        ),
        "index too large": (ply("ascii", POINTS, [(0, 1, 5)]), r"\[0, 5\), got 5"),
        "index beyond int32": (
            ply("binary_little_endian", POINTS, [(0, 1, 2**32 - 2)], index_type=("uint", "I")),
            r"\[0, 5\), got 4294967294",
        ),
        "index negative": (ply("binary_little_endian", POINTS, [(0, 1, -2)]), "got -2"),
        "no faces": (ply("binary_little_endian", POINTS, []), "no faces"),
        "empty faces": (
            ply("binary_little_endian", POINTS, [(), ()], index_type=("uint", "I")),
            "no faces",
        ),
        "point cloud": (
            b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\n"
            b"property float z\nend_header\n0 0 0\n",
            "no faces",
        ),
        "only edges": (ply("ascii", POINTS, [(0, 1), (1, 2)]), "no faces"),
        "no vertices": (ply("ascii", [], []), "no faces"),
        "lists for positions": (
            b"ply\nformat ascii 1.0\nelement vertex 1\nproperty list int float x\n"
            b"property float y\nproperty float z\nelement face 1\n"
            b"property list uchar int vertex_index\nend_header\n1 0 0 0\n3 0 0 0\n",
            "x, y and z",
        ),
        "flat vertices": (little.replace(b"double z", b"double w"), "x, y and z"),
    }


@pytest.mark.parametrize("name", bad_files())
def test_damage_is_one_sentence_that_names_the_file(tmp_path: Path, name: str) -> None:
    content, pattern = bad_files()[name]
    path = tmp_path / "bad.ply"
    path.write_bytes(content)
    with pytest.raises(MeshError, match=pattern) as caught:
        read_mesh(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@given(cut=st.integers(0, 1000), encoding=st.sampled_from(sorted(PACK)), mixed=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_cut_anywhere_is_refused(
    tmp_path: Path, cut: int, encoding: str, mixed: bool
) -> None:
    content = ply(encoding, POINTS, POLYGONS if mixed else POLYGONS[1:])
    # The last number of an ascii file can lose digits unseen; from a token less on it cannot.
    spared = 6 if encoding == "ascii" else 1
    path = tmp_path / "cut.ply"
    path.write_bytes(content[: min(cut, len(content) - spared)])
    with pytest.raises(MeshError, match=r"cut short|not a PLY|0 bytes|numbers"):
        read_mesh(path)
