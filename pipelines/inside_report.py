"""The table of inside tests in Markdown: a row per mesh, and in words what the numbers mean."""

from __future__ import annotations

from collections.abc import Sequence

from eval.runs import Record

# IoU with winding numbers below which a mesh is named.
GOOD_IOU = 0.995

_MEANING = (
    "samples whose winding number is within 0.1 of 1/2 are left out of it and counted as unclear. "
    "As stored: of the mesh as it is in the file. Mended: without the repeated faces that make it "
    "leak, and its faces turned to agree with their neighbors. Parity: IoU of parity along z "
    "alone, with the winding numbers of the mended mesh. Doubtful: share of samples where axes "
    "disagree; by winding: that winding numbers decided, which agree with the judge by "
    "construction. Overlap: solid by directions, hollow by parity. Shares are of all samples of "
    "the cube. Seconds are those of the diagnosis, of mending and of voxelizing."
)

_COLUMNS = (
    *("mesh", "faces", "parts", "method", "why", "inside", "doubtful", "by winding", "overlap"),
    *("unclear", "IoU, as stored", "IoU, mended", "IoU of parity", "seconds"),
)
_WORDS = ("mesh", "method", "why")


def inside_report(records: Sequence[Record]) -> str:
    """Markdown: the table, what its columns mean, and a line on every mesh that was mended."""
    done = [r for r in records if "failed" not in r]
    resolution = records[0]["resolution"]
    lines = [
        f"# Inside or outside at {resolution}^3",
        "",
        "IoU with generalized winding numbers (magnitude above 1/2) on "
        f"{_where(done, resolution)}; {_MEANING}",
        *(["", _trust(done), "", _verdict(done)] if done else []),
        "",
        f"| {' | '.join(_COLUMNS)} |",
        f"|{'|'.join('---' if name in _WORDS else '---:' for name in _COLUMNS)}|",
        *map(_row, records),
    ]
    mended = [_about_mending(r) for r in done if r["mended"]]
    if mended:
        lines += ["", "Meshes whose winding numbers differ as stored and mended:", "", *mended]
    return "\n".join(lines) + "\n"


def _where(done: Sequence[Record], resolution: int) -> str:
    chosen = sorted({r["stored"]["samples"] for r in done})
    if not chosen or chosen == [resolution**3]:
        return f"all {resolution**3:,} samples"
    return (
        f"a seeded random choice of {chosen[0]:,} to {chosen[-1]:,} of the {resolution**3:,} "
        "samples, half of them from blocks at the surface, weighted by how many each stands for"
    )


def _trust(done: Sequence[Record]) -> str:
    """Why the verdicts are those of exact winding numbers."""
    judges = [judge for r in done for judge in (r["stored"], r["mended"]) if judge]
    at_random = [judge["random_samples"] for judge in judges]
    return (
        "Winding numbers are exact, the sum of the solid angles of all faces, for every judged "
        "sample so close to the limits 0.4 and 0.6 that the largest error seen in the mesh could "
        "take it across, and for a random choice of all others; elsewhere they are fast ones. Of "
        f"{sum(judge['samples'] for judge in judges):,} winding numbers "
        f"{sum(judge['exact_samples'] for judge in judges):,} are exact, {min(at_random):,} to "
        f"{max(at_random):,} of a mesh chosen at random; fast ones differed from them by at most "
        f"{max(judge['fast_error'] for judge in judges):.4f}. If none of n random ones shows a "
        "larger error, then with 95 % confidence at most 3/n of the samples have one, and it "
        "changes an answer only if it is as large as the distance to the limit: 0.4 wherever the "
        "winding number is whole."
    )


def _verdict(done: Sequence[Record]) -> str:
    judged = [r for r in done if r["inside"]]
    low = {
        "as stored": [r["mesh"] for r in judged if r["stored"]["iou"] < GOOD_IOU],
        "mended": [r["mesh"] for r in judged if (r["mended"] or r["stored"])["iou"] < GOOD_IOU],
    }
    slowest = max(done, key=lambda r: float(r["seconds"]))
    found = "; ".join(f"{which}, {', '.join(names) or 'none'}" for which, names in low.items())
    return f"IoU below {GOOD_IOU}: {found}. Slowest: {slowest['mesh']}, {slowest['seconds']:.1f} s."


def _row(record: Record) -> str:
    if "failed" in record:
        cells = [record["mesh"], "", "", "failed", record["failed"]]
        cells += [""] * (len(_COLUMNS) - len(cells))
    else:
        r = record
        stored, mended = r["stored"], r["mended"] or r["stored"]
        # Two empty sets have IoU 1, which would say nothing about the test.
        iou = [
            f"{value:.4f}" if r["inside"] else "-"
            for value in (stored["iou"], mended["iou"], mended["iou_parity"])
        ]
        shares = [f"{r[key]:.3%}" for key in ("inside", "doubtful", "by_winding", "overlap")]
        cells = [
            *(r["mesh"], f"{r['faces']:,}", f"{r['parts']:,}", r["method"], r["why"]),
            *(*shares, f"{stored['unclear']:.2%}", *iou, f"{r['seconds']:.2f}"),
        ]
    return f"| {' | '.join(cells)} |"


def _about_mending(r: Record) -> str:
    """A line on what was mended and what that did to the winding numbers."""
    done = [
        f"{r[name]:,} of {r['faces']:,} faces were {what}"
        for name, what in (
            ("faces_turned", "turned to agree with their neighbors"),
            ("repeats_removed", "repeats and were left out"),
        )
        if r[name]
    ]
    stored, mended = r["stored"], r["mended"]
    line = (
        f"- {r['mesh']}: {' and '.join(done)}. IoU is {stored['iou']:.4f} as stored and "
        f"{mended['iou']:.4f} mended; of all samples {stored['unclear']:.2%} are unclear as stored "
        f"and {mended['unclear']:.2%} mended, {stored['broken']:.2%} as stored and "
        f"{mended['broken']:.2%} mended are more than 0.1 from any whole number."
    )
    if r["misoriented_edges"]:
        line += (
            f" As stored, the two faces of {r['misoriented_edges']:,} edges disagree about "
            "outside: beyond such a seam the surface counts with the other sign."
        )
    if r["closed"] and stored["broken"] > mended["broken"]:
        line += (
            " The mesh is closed, and around a closed surface whose faces agree about outside "
            "winding numbers are whole: those of the mesh as stored are no truth to judge by."
        )
    return line
