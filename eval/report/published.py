"""Figures that others published for the scans of the Surface Reconstruction Benchmark."""

from __future__ import annotations

from dataclasses import dataclass

from eval.report.table import Column, Table

# Mean and largest distance.
Pair = tuple[float, float]


@dataclass(frozen=True)
class Published:
    """What a paper states for one scan, in the scan's units.

    Parameters
    ----------
    system : the method.
    normals : whether it was given normals.
    truth : Chamfer-L1 and Hausdorff distance to the dense ground truth, both ways.
    scan : mean and largest distance from the scan to the reconstruction; None where not stated.
    """

    system: str
    normals: bool
    truth: Pair
    scan: Pair | None = None


DIFFERENCE = (
    "Published figures: without normals from the tables of PHASE (Lipman 2021) and DiGS "
    "(Ben-Shabat et al. 2022), with normals from those of IGR (Gropp et al. 2020) and Deep "
    "Geometric Prior (Williams et al. 2019). The columns “scan” have the same definition as here: "
    "from all scan points to points drawn on the reconstruction, 1,000,000 in DiGS's script, this "
    "direction only. The columns “truth” compare, both ways, with a dense ground truth that is no "
    "part of this run; nothing here is to be set beside them. Theirs are networks of the papers' "
    "size, fitted on GPUs; that the scan of the same name is the same file is not checked."
)

_NO_NORMALS = ("IGR", "SIREN", "SAL", "IGR+FF", "PHASE+FF", "DiGS")
_WITH_NORMALS = ("IGR", "Deep Geometric Prior")
# Truth, then scan, of the systems above in their order.
_TABLE: dict[str, tuple[tuple[Pair, Pair], ...]] = {
    "anchor": (
        ((0.45, 7.45), (0.17, 4.55)),
        ((0.72, 10.98), (0.11, 1.27)),
        ((0.42, 7.21), (0.17, 4.67)),
        ((0.72, 9.48), (0.24, 8.89)),
        ((0.29, 7.43), (0.09, 1.49)),
        ((0.29, 7.19), (0.11, 1.17)),
    ),
    "daratech": (
        ((4.90, 42.15), (0.70, 3.68)),
        ((0.21, 4.37), (0.09, 1.78)),
        ((0.62, 13.21), (0.11, 2.15)),
        ((2.48, 19.60), (0.74, 4.23)),
        ((0.35, 7.24), (0.08, 1.21)),
        ((0.20, 3.72), (0.09, 1.80)),
    ),
    "dc": (
        ((0.63, 10.35), (0.14, 3.44)),
        ((0.34, 6.27), (0.06, 2.71)),
        ((0.18, 3.06), (0.08, 2.82)),
        ((0.86, 10.32), (0.28, 3.98)),
        ((0.19, 4.65), (0.05, 2.78)),
        ((0.15, 1.70), (0.07, 2.75)),
    ),
    "gargoyle": (
        ((0.77, 17.46), (0.18, 2.04)),
        ((0.46, 7.76), (0.08, 0.68)),
        ((0.45, 9.74), (0.21, 3.84)),
        ((0.26, 5.24), (0.18, 2.93)),
        ((0.17, 4.79), (0.07, 1.58)),
        ((0.17, 4.10), (0.09, 0.92)),
    ),
    "lord_quas": (
        ((0.16, 4.22), (0.08, 1.14)),
        ((0.35, 8.96), (0.06, 0.65)),
        ((0.13, 4.14), (0.07, 4.04)),
        ((0.49, 10.71), (0.14, 3.71)),
        ((0.11, 0.71), (0.05, 0.74)),
        ((0.12, 0.91), (0.06, 0.70)),
    ),
}
_TABLE_WITH_NORMALS: dict[str, tuple[Pair, Pair]] = {
    "anchor": ((0.22, 4.71), (0.33, 8.82)),
    "daratech": ((0.25, 4.01), (0.20, 3.14)),
    "dc": ((0.17, 2.22), (0.18, 4.31)),
    "gargoyle": ((0.16, 3.52), (0.21, 5.98)),
    "lord_quas": ((0.12, 1.17), (0.14, 3.67)),
}


def published_for(name: str) -> list[Published]:
    """What is published for the benchmark's scan of that name; nothing for any other."""
    key = name.lower().replace("-", "_").replace(" ", "_")
    without = [
        Published(system, False, truth, scan)
        for system, (truth, scan) in zip(_NO_NORMALS, _TABLE.get(key, ()), strict=False)
    ]
    given = zip(_WITH_NORMALS, _TABLE_WITH_NORMALS.get(key, ()), strict=False)
    return without + [Published(system, True, truth) for system, truth in given]


def published_table(name: str) -> Table[Published] | None:
    """The published figures for a scan of the benchmark; None for any other."""
    figures = published_for(name)
    columns: list[Column[Published]] = [
        Column("system", lambda p: p.system, left=True),
        Column("given", lambda p: f"points{'' if p.normals else ' without normals'}", left=True),
        Column("scan, mean ↓", lambda p: p.scan and p.scan[0], ".2f"),
        Column("scan, max ↓", lambda p: p.scan and p.scan[1], ".2f"),
        Column("truth, Chamfer-L1 ↓", lambda p: p.truth[0], ".2f"),
        Column("truth, Hausdorff ↓", lambda p: p.truth[1], ".2f"),
    ]
    return Table(columns, figures) if figures else None
