"""3MF: components and items are placed; units, supports and extensions are said or refused."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from geom_miner.errors import MeshError
from geom_miner.mesh.diagnosis import diagnose
from geom_miner.mesh.files import read_mesh
from geom_miner.mesh.formats import contents, threemf
from tests.shapes import box

CORE = "http://schemas.microsoft.com/3dmanufacturing/core/2015/02"
PRODUCTION = "http://schemas.microsoft.com/3dmanufacturing/production/2015/06"
RELATIONSHIPS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Target="/3D/model.model" Id="r" '
    'Type="http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel"/></Relationships>'
)
MESH = (
    "<mesh><vertices>"
    + "".join(f'<vertex x="{x}" y="{y}" z="{z}"/>' for x, y, z in box().vertices)
    + "</vertices><triangles>"
    + "".join(f'<triangle v1="{a}" v2="{b}" v3="{c}"/>' for a, b, c in box().faces)
    + "</triangles></mesh>"
)


def model(resources: str, build: str, attributes: str = 'unit="millimeter"') -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><model {attributes} xmlns="{CORE}" '
        f'xmlns:p="{PRODUCTION}" xmlns:b="http://example.org/beams"><metadata name="Title">vertex'
        f"</metadata><resources>{resources}</resources><build>{build}</build></model>"
    )


def write(path: Path, *parts: tuple[str, str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_rels/.rels", RELATIONSHIPS)
        for name, content in parts:
            archive.writestr(name, content)
    return path


def box_of(path: Path, resources: str, build: str, attributes: str = "") -> Path:
    return write(path, ("3D/model.model", model(resources, build, attributes)))


BOX = f'<object id="1" type="model">{MESH}</object>'


def test_items_and_components_are_placed(tmp_path: Path) -> None:
    """A pair of boxes, one of them twice as long and reflected, is built twice."""
    pair = (
        '<object id="2"><components><component objectid="1"/>'
        '<component objectid="1" transform="-1 0 0 0 2 0 0 0 1 -2 0 0"/></components></object>'
    )
    build = '<item objectid="2"/><item objectid="2" transform="0 1 0 -1 0 0 0 0 3 0 10 0"/>'
    mesh = read_mesh(box_of(tmp_path / "a.3mf", BOX + pair, build))
    # Each pair has volume 1 + 2; the second one is turned by 90 degrees and three times as high.
    assert mesh.volume == pytest.approx(3 + 9)
    assert diagnose(mesh).components == 4
    assert diagnose(mesh).watertight
    assert [corner.tolist() for corner in mesh.bounds] == [[-3, 0, 0], [1, 11, 3]]
    assert mesh.notes == ()


def test_objects_of_other_parts_are_read(tmp_path: Path) -> None:
    """The production extension, as Bambu Studio writes it."""
    main = model(
        '<object id="8"><components><component p:path="/3D/Objects/a.model" objectid="1" '
        'transform="1 0 0 0 1 0 0 0 1 5 0 0"/></components></object>',
        '<item objectid="8"/><item p:path="/3D/Objects/a.model" objectid="1"/>',
        'requiredextensions="p"',
    )
    other = model(BOX, "")
    path = write(tmp_path / "a.3mf", ("3D/model.model", main), ("3D/Objects/a.model", other))
    mesh = read_mesh(path)
    assert (mesh.volume, mesh.bounds[1].tolist()) == (2.0, [6.0, 1.0, 1.0])


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    lattice = MESH.replace("</mesh>", "<b:beamlattice/></mesh>")
    resources = (
        f'{BOX}<object id="2" type="support">{MESH}</object><object id="3">{lattice}</object>'
    )
    path = box_of(
        tmp_path / "a.3mf", resources, '<item objectid="1"/><item objectid="2"/>', 'unit="inch"'
    )
    mesh = read_mesh(path)
    assert mesh.volume == 1.0
    assert mesh.notes == (
        "Positions are in units of 'inch', as the file says.",
        "1 support object(s) were left out.",
        "1 shape(s) of 3MF extensions were left out, such as beam lattices.",
    )


def test_a_file_that_builds_nothing_gives_its_objects(tmp_path: Path) -> None:
    pair = (
        '<object id="2"><components><component objectid="1"/><component objectid="1" '
        'transform="1 0 0 0 1 0 0 0 1 3 0 0"/></components></object>'
    )
    mesh = read_mesh(box_of(tmp_path / "a.3mf", BOX + pair, ""))
    assert mesh.volume == 2.0
    assert mesh.notes == ("The file builds nothing, so all of its objects were read.",)


ITEM = '<item objectid="1"/>'
CIRCLE = '<object id="1"><components><component objectid="1"/></components></object>'


@pytest.mark.parametrize(
    ("resources", "build", "attributes", "pattern"),
    [
        (BOX, '<item objectid="7"/>', "", "object '7' .* missing"),
        (CIRCLE, ITEM, "", "missing or stands behind its use"),
        (BOX, ITEM, 'requiredextensions="b"', "extension 'http://example.org/beams'"),
        (BOX.replace('v1="3"', 'v1="8"'), ITEM, "", "must use its 8 vertices"),
        (BOX.replace('x="1.0"', 'x="one"'), ITEM, "", "wrong value in line"),
        (BOX.replace('x="1.0"', 'x="nan"'), ITEM, "", "NaN"),
        (BOX.replace('v1="3"', f'v1="{"9" * 5000}"'), ITEM, "", "wrong value"),
        (BOX.replace('v1="3"', f'v1="{"9" * 50}"'), ITEM, "", "wrong value"),
        (BOX + BOX, ITEM, "", "wrong value"),
        (BOX, '<item objectid="1" transform="1 0 0"/>', "", "wrong value"),
        ('<object id="1"></object>', ITEM, "", "no faces"),
        (BOX[:-9], ITEM, "", "damaged, at line"),
    ],
)
def test_damage_is_one_sentence(
    tmp_path: Path, resources: str, build: str, attributes: str, pattern: str
) -> None:
    path = box_of(tmp_path / "bad.3mf", resources, build, attributes)
    with pytest.raises(MeshError, match=pattern) as caught:
        read_mesh(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_entities_are_refused(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE m [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>' + model(BOX, ITEM)
    bomb = bomb.replace('<?xml version="1.0" encoding="UTF-8"?>', "")
    with pytest.raises(MeshError, match="document type"):
        read_mesh(write(tmp_path / "a.3mf", ("3D/model.model", bomb)))


def test_copies_of_copies_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threemf, "_MOST_PLACED", 10_000)
    resources = BOX
    for level in range(2, 40):
        twice = f'<component objectid="{level - 1}"/>' * 2
        resources += f'<object id="{level}"><components>{twice}</components></object>'
    with pytest.raises(MeshError, match="at most 10,000 faces"):
        read_mesh(box_of(tmp_path / "a.3mf", resources, '<item objectid="39"/>'))


def test_archives_are_bounded_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = box_of(tmp_path / "a.3mf", BOX, ITEM)
    content = path.read_bytes()
    (tmp_path / "cut.3mf").write_bytes(content[:-10])
    with pytest.raises(MeshError, match="no 3MF file, or cut short"):
        read_mesh(tmp_path / "cut.3mf")
    damaged = bytearray(content)
    damaged[len(content) // 2] ^= 0xFF
    (tmp_path / "damaged.3mf").write_bytes(damaged)
    with pytest.raises(MeshError, match="damaged"):
        read_mesh(tmp_path / "damaged.3mf")
    later = content.replace(b"PK\x01\x02\x14", b"PK\x01\x02\xff").replace(b"\x14\0", b"\xff\0")
    (tmp_path / "later.3mf").write_bytes(later)
    with pytest.raises(MeshError):
        read_mesh(tmp_path / "later.3mf")
    with pytest.raises(MeshError, match=r"'3D/model\.model' is missing"):
        read_mesh(write(tmp_path / "empty.3mf"))
    monkeypatch.setattr(contents, "_MOST_UNPACKED", 1000)
    monkeypatch.setattr(contents, "_MOST_RATIO", 1)
    with pytest.raises(MeshError, match="must unpack to at most"):
        read_mesh(path)


def test_the_usual_part_is_read_without_relationships(tmp_path: Path) -> None:
    path = tmp_path / "a.3mf"
    with zipfile.ZipFile(path, "w") as archive:
        text = model(BOX, ITEM).replace("UTF-8", "UTF-16")
        archive.writestr("3D/3dmodel.model", text.encode("utf-16"))
    assert read_mesh(path).volume == 1.0
