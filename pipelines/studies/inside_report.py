"""The table of inside tests in Markdown: a row per mesh, and in words what the numbers mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from eval.report import Column, Table, markdown_text
from eval.runs import Record

# IoU with winding numbers below which a mesh is named.
GOOD_IOU = 0.995

_MEANING = (
    "samples whose winding number is within 0.1 of 1/2 are left out of it and counted as unclear. "
    "As stored: of the mesh as it is in the file. Repaired: without the duplicate faces that make "
    "it leak, and its faces flipped to agree with their neighbors. Parity: IoU of parity along z "
    "alone, with the winding numbers of the repaired mesh. Doubtful: share of samples where axes "
    "disagree; by winding: that winding numbers decided, which agree with the reference by "
    "construction. Overlap: solid by directions, hollow by parity. Shares are of all samples of "
    "the cube. Seconds are those of the diagnosis, of the repair and of voxelizing."
)


def _of_done(value: Callable[[Record], Any]) -> Callable[[Record], Any]:
    """Missing where the mesh could not be used."""
    return lambda r: "" if "failed" in r else value(r)


def _iou(value: Callable[[Record], float]) -> Callable[[Record], Any]:
    """Missing where nothing is inside: two empty sets have IoU 1, which says nothing."""
    return _of_done(lambda r: value(r) if r["inside"] else None)


def _repaired(record: Record) -> Record:
    repaired: Record = record["repaired"] or record["stored"]
    return repaired


_COLUMNS: tuple[Column[Record], ...] = (
    Column("mesh", lambda r: r["mesh"], left=True),
    Column("faces", _of_done(lambda r: r["faces"])),
    Column("components", _of_done(lambda r: r["components"])),
    Column("method", lambda r: "failed" if "failed" in r else r["method"], left=True),
    Column("reason", lambda r: r["failed"] if "failed" in r else r["reason"], left=True),
    *(
        Column(key.replace("_", " "), _of_done(itemgetter(key)), ".3%")
        for key in ("inside", "disputed", "by_winding", "overlap")
    ),
    Column("unclear", _of_done(lambda r: r["stored"]["unclear"]), ".2%"),
    Column("IoU, as stored", _iou(lambda r: r["stored"]["iou"]), ".4f"),
    Column("IoU, repaired", _iou(lambda r: _repaired(r)["iou"]), ".4f"),
    Column("IoU of parity", _iou(lambda r: _repaired(r)["iou_parity"]), ".4f"),
    Column("seconds", _of_done(lambda r: r["seconds"]), ".2f"),
)


def inside_report(records: Sequence[Record]) -> str:
    """Markdown: the table, what its columns mean, and a line on every mesh that was repaired."""
    done = [r for r in records if "failed" not in r]
    resolution = records[0]["resolution"]
    lines = [
        f"# Inside or outside at {resolution}^3",
        "",
        "IoU with generalized winding numbers (magnitude above 1/2) on "
        f"{_where(done, resolution)}; {_MEANING}",
        *(["", _trust(done), "", _verdict(done)] if done else []),
        "",
        Table(_COLUMNS, records).markdown().rstrip(),
    ]
    repaired = [_about_repair(r) for r in done if r["repaired"]]
    if repaired:
        lines += ["", "Meshes whose winding numbers differ as stored and repaired:", "", *repaired]
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
    references = [
        reference for r in done for reference in (r["stored"], r["repaired"]) if reference
    ]
    at_random = [one["random_samples"] for one in references]
    return (
        "Winding numbers are exact, the sum of the solid angles of all faces, for every compared "
        "sample so close to the limits 0.4 and 0.6 that the largest error seen in the mesh could "
        "take it across, and for a random choice of all others; elsewhere they are fast ones. Of "
        f"{_total(references, 'samples'):,} winding numbers "
        f"{_total(references, 'exact_samples'):,} are exact, {min(at_random):,} to "
        f"{max(at_random):,} of a mesh chosen at random; fast ones differed from them by at most "
        f"{max(one['fast_error'] for one in references):.4f}. If none of n random ones shows a "
        "larger error, then with 95 % confidence at most 3/n of the samples have one, and it "
        "changes an answer only if it is as large as the distance to the limit: 0.4 wherever the "
        "winding number is whole."
    )


def _verdict(done: Sequence[Record]) -> str:
    compared = [r for r in done if r["inside"]]
    low = {
        "as stored": [r["mesh"] for r in compared if r["stored"]["iou"] < GOOD_IOU],
        "repaired": [
            r["mesh"] for r in compared if (r["repaired"] or r["stored"])["iou"] < GOOD_IOU
        ],
    }
    slowest = max(done, key=lambda r: float(r["seconds"]))
    found = "; ".join(
        f"{which}, {markdown_text(', '.join(names)) or 'none'}" for which, names in low.items()
    )
    slowest_name = markdown_text(slowest["mesh"])
    return f"IoU below {GOOD_IOU}: {found}. Slowest: {slowest_name}, {slowest['seconds']:.1f} s."


def _about_repair(r: Record) -> str:
    """A line on what was repaired and what that did to the winding numbers."""
    done = [
        f"{r[name]:,} of {r['faces']:,} faces were {what}"
        for name, what in (
            ("faces_flipped", "flipped to agree with their neighbors"),
            ("duplicates_removed", "duplicates and were removed"),
        )
        if r[name]
    ]
    stored, repaired = r["stored"], r["repaired"]
    line = (
        f"- {markdown_text(r['mesh'])}: {' and '.join(done)}. "
        f"IoU is {stored['iou']:.4f} as stored and "
        f"{repaired['iou']:.4f} repaired; of all samples {stored['unclear']:.2%} are unclear as "
        f"stored and {repaired['unclear']:.2%} repaired, {stored['broken']:.2%} as stored and "
        f"{repaired['broken']:.2%} repaired are more than 0.1 from any whole number."
    )
    if r["misoriented_edges"]:
        line += (
            f" As stored, the two faces of {r['misoriented_edges']:,} edges disagree about "
            "outside: beyond such a seam the surface counts with the other sign."
        )
    if r["closed"] and stored["broken"] > repaired["broken"]:
        line += (
            " The mesh is closed, and around a closed surface whose faces agree about outside "
            "winding numbers are whole: those of the mesh as stored are no reference."
        )
    return line


def _total(references: Sequence[Record], key: str) -> int:
    return sum(int(reference[key]) for reference in references)
