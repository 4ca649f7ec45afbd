"""The named shapes: where their scans are published, who made them, how to view them."""

from __future__ import annotations

from dataclasses import dataclass

from eval import View


@dataclass(frozen=True)
class Scan:
    """One named shape as its authors publish it.

    ``vertices`` and ``faces`` are the numbers of the original, None if the source states none.
    ``limit`` bounds the bytes of the download and, separately, of the unpacked file.
    """

    name: str
    title: str
    aliases: tuple[str, ...]
    address: str
    file: str
    vertices: int | None
    faces: int | None
    limit: int
    license: str
    citation: str
    view: View
    stand_in: str


_STANFORD_TERMS = (
    "free for research with acknowledgement; no commercial use without permission "
    "(terms of the Stanford 3D Scanning Repository)"
)

CATALOG: dict[str, Scan] = {
    scan.name: scan
    for scan in (
        Scan(
            name="lucy",
            title="Lucy",
            aliases=("lucy",),
            address="http://graphics.stanford.edu/data/3Dscanrep/lucy.tar.gz",
            file="lucy.ply",
            vertices=14_027_872,
            faces=28_055_742,
            limit=2 * 1024**3,
            license=_STANFORD_TERMS,
            citation="Lucy, The Stanford 3D Scanning Repository, Stanford University",
            view=View(up="z", azimuth=180.0, elevation=8.0),
            stand_in="procedural-statue",
        ),
        Scan(
            name="thai",
            title="Thai statue",
            aliases=("thai", "thai_statue", "xyzrgb_statuette"),
            address=("http://graphics.stanford.edu/data/3Dscanrep/xyzrgb/xyzrgb_statuette.ply.gz"),
            file="xyzrgb_statuette.ply",
            vertices=4_999_996,
            faces=10_000_000,
            limit=1024**3,
            license=_STANFORD_TERMS,
            citation=(
                "Thai statue, scanned by XYZ RGB Inc., The Stanford 3D Scanning Repository, "
                "Stanford University"
            ),
            view=View(up="y", azimuth=0.0, elevation=8.0),
            stand_in="procedural-statue",
        ),
        Scan(
            name="engine",
            title="Engine",
            aliases=("engine",),
            address=(
                "https://drive.google.com/uc?export=download&id=1NU2I1Vly6X7YZWD1z_JiBx67XSJ_iR8d"
            ),
            file="engine.obj",
            vertices=None,
            faces=None,
            limit=2 * 1024**3,
            license="CC-BY",
            citation="Engine by ChrisKuhn, Blend Swap, blend 17636",
            view=View(up="y", azimuth=35.0, elevation=25.0),
            stand_in="procedural-engine",
        ),
    )
}

STAND_IN_VIEWS = {
    "procedural-statue": View(up="z", azimuth=20.0, elevation=10.0),
    "procedural-engine": View(up="z", azimuth=35.0, elevation=28.0),
}
