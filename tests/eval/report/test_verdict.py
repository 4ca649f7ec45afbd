"""Who is nearest, when it is a tie, and what becomes of the claim: on records made up for it."""

from __future__ import annotations

from typing import Any

import pytest

from eval.benchmark.cell import Cell
from eval.report.build import build_report
from eval.report.overview import nearest, standings
from eval.report.quantities import (
    all_quantities,
    best_of_rows,
    distance_percent,
    seconds,
    with_values,
)
from eval.report.rows import Row, by_input, distance_error, rows_of
from eval.report.verdict import claims, summary
from tests.eval.report.made_up import finished, made, scan, subject

METHODS = ["miner", "poisson", {"method": "igr", "label": "IGR"}]


def sentences(rows: list[Row]) -> list[str]:
    return summary(rows, standings(rows))


def outcome_of(table: dict[str, dict[str, Any]]) -> Any:
    return lambda cell: table[cell.subject.name][cell.entry.label]


def test_the_nearest_wins_and_what_sampling_cannot_tell_apart_is_a_tie() -> None:
    table = {
        "cup": {"miner": 0.100, "poisson": 0.200, "IGR": 0.300},
        # Standard errors of 0.001 each: a difference of 0.0028 is two of theirs together.
        "jar": {"miner": 0.1027, "poisson": 0.100, "IGR": 0.300},
        "pot": {"miner": 0.1030, "poisson": 0.100, "IGR": 0.300},
    }
    rows = rows_of(finished([subject(name) for name in table], METHODS, outcome_of(table)))
    assert [r.label for r in nearest(rows[:3])] == ["miner"]
    assert [r.label for r in nearest(rows[3:6])] == ["miner", "poisson"]
    assert [r.label for r in nearest(rows[6:])] == ["poisson"]
    found = {s.entry.label: (s.wins, s.ties) for s in standings(rows)}
    assert found == {"miner": (1, 1), "poisson": (1, 1), "IGR": (0, 0)}


def test_only_what_was_given_as_much_competes() -> None:
    methods = [
        {"method": "miner", "label": "whole", "input": "mesh"},
        "miner",
        "poisson",
        {"method": "igr", "label": "bare", "ignore_normals": True},
    ]
    values = {"whole": 0.001, "miner": 0.1, "poisson": 0.2, "bare": 0.01}
    run = finished([subject("cup")], methods, lambda cell: values[cell.entry.label])
    rows = rows_of(run)
    assert list(by_input(rows)) == ["the mesh", "points", "points without normals"]
    assert {s.entry.label: s.wins for s in standings(rows)} == {
        **{"whole": 0, "miner": 1, "poisson": 0, "bare": 0}
    }
    words = " ".join(sentences(rows))
    assert "whole, the only one given the mesh: median distance 0.001 %." in words
    assert (
        "Given points, nearest to the source: miner on 1 of 1 shape. Median distances: miner 0.1 %"
        in words
    )


def test_failures_lose_and_are_counted() -> None:
    table = {
        "cup": {"miner": 0.1, "poisson": "crashed.", "IGR": 5.0},
        "jar": {"miner": 0.1, "poisson": "crashed.", "IGR": 0.2},
        "pot": {"miner": "hung.", "poisson": 0.3, "IGR": "hung."},
    }
    rows = rows_of(finished([subject(name) for name in table], METHODS, outcome_of(table)))
    assert sentences(rows)[0] == (
        "3 methods on 3 shapes: 9 reconstructions; "
        "4 gave no mesh (poisson on Cup, poisson on Jar, miner on Pot, IGR on Pot); "
        "1 is farther than 1 % of the diagonal from its source and counts as failed (IGR on Cup)."
    )
    found = {s.entry.label: s for s in standings(rows)}
    # Over 1 % of the diagonal of 100 is as good as none.
    assert {label: s.usable for label, s in found.items()} == {"miner": 2, "poisson": 1, "IGR": 1}
    medians = {label: s.median(distance_percent) for label, s in found.items()}
    # The shapes without a mesh count as the worst.
    assert medians == {"miner": 0.1, "poisson": None, "IGR": 5.0}
    assert (found["poisson"].wins, found["miner"].wins) == (1, 2)


def test_the_headline_names_some_failures_and_counts_the_rest() -> None:
    rows = rows_of(finished([subject(f"cup {n}") for n in range(6)], ["igr"], lambda _: 2.0))
    assert sentences(rows)[0] == (
        "1 method on 6 shapes: 6 reconstructions; 6 are farther than 1 % of the diagonal from "
        "their sources and count as failed "
        "(igr on Cup 0, igr on Cup 1, igr on Cup 2, igr on Cup 3 and 2 more)."
    )
    fine = rows_of(finished([subject("cup")], ["igr"], lambda _: 0.2))
    assert sentences(fine)[0] == "1 method on 1 shape: 1 reconstruction, none of which failed."


def test_what_failed_is_best_at_nothing() -> None:
    """A far mesh is made in a second, of one triangle: that is no merit."""

    def outcome(cell: Cell) -> Any:
        far = cell.entry.method == "igr"
        return made(cell, 5.0 if far else 0.1, total=3.0 if far else 10.0)

    run = finished([subject("cup")], ["miner", "igr"], outcome)
    rows = rows_of(run)
    assert [row.competes for row in rows] == [True, False]
    for quantity in with_values(all_quantities(run), rows):
        assert best_of_rows(quantity, rows) in (None, quantity.median(rows[0]))
    report = build_report(run, rows, {}, "make it")
    tables = [report.overview, *(section.results for section in report.sections)]
    bold = {line.label for t in tables for line in t.lines if any(v.best for v in line.values)}
    assert bold == {"miner"}
    # Nor is it the nearest where nothing else was made.
    alone = rows_of(
        finished(
            [subject("cup")],
            ["miner", "igr"],
            lambda c: 5.0 if c.entry.method == "igr" else "hung.",
        )
    )
    assert nearest(alone) == []


def test_seeds_count_as_one_row_with_their_median() -> None:
    values = [0.2, 0.1, 3.0, 0.3, "crashed."]
    methods = [{"method": "igr", "seeds": [0, 1, 2, 3, 4]}, "phase"]

    def outcome(cell: Cell) -> Any:
        return values[cell.seed] if cell.entry.method == "igr" else 0.15

    first, second = rows_of(finished([subject("cup")], methods, outcome))
    assert first.median(distance_percent) == pytest.approx(0.25)
    assert first.failed == 2  # no mesh, and one too far away
    assert first.shown is first.records[0]
    # The spread over seeds is far above the sampling error and makes it a tie.
    assert distance_error(first) > 0.5
    assert nearest([first, second]) == [first, second]


def test_the_last_budget_stands_for_an_entry() -> None:
    methods = [{"method": "igr", "budgets": [{"seconds": 5}, {"seconds": 50}]}, "phase"]

    def outcome(cell: Cell) -> Any:
        return {5: 0.05, 50: 0.3, None: 0.2}[cell.budget.seconds]

    rows = rows_of(finished([subject("cup")], methods, outcome))
    assert [row.label for row in rows] == ["igr, 5 s", "igr, 50 s", "phase"]
    assert {s.entry.label: s.wins for s in standings(rows)} == {"igr": 0, "phase": 1}


@pytest.mark.parametrize(
    ("poisson", "verdict", "count"),
    [
        ((0.4, 0.3), "holds:", "2 of 2"),
        ((0.4, 0.01), "holds in part", "1 of 2"),
        ((0.01, 0.01), "does not hold", "0 of 2"),
    ],
)
def test_the_claim_about_sharp_parts(
    poisson: tuple[float, float], verdict: str, count: str
) -> None:
    subjects = [subject("gear", "sharp"), subject("blade", "sharp"), subject("vase")]
    away = {"gear": poisson[0], "blade": poisson[1], "vase": 0.1}

    def outcome(cell: Cell) -> Any:
        ours = cell.entry.method == "miner"
        return made(cell, 0.1 if ours else away[cell.subject.name], total=30.0 if ours else 10.0)

    (claim,) = claims(rows_of(finished(subjects, ["miner", "poisson"], outcome)))
    assert verdict in str(claim)
    assert f"on {count} (Gear, Blade)" in str(claim)
    assert "MINER takes 3 times Poisson's seconds, more than equal time" in str(claim)


def test_the_claim_about_scans_and_its_stand_ins() -> None:
    subjects = [subject("angel", "scan", stands_in_for=("Lucy",)), subject("head", "scan")]

    def outcome(cell: Cell) -> Any:
        return made(cell, 0.100 if cell.entry.method == "miner" else 0.105)

    (claim,) = claims(rows_of(finished(subjects, ["miner", "poisson"], outcome)))
    assert "“MINER and Poisson are equal on scans” holds:" in str(claim)
    assert "within 10 % of each other on 2 of 2 (Angel (stand-in for Lucy), Head)" in str(claim)
    assert "MINER takes 1 times Poisson's seconds, equal time." in str(claim)


def test_no_claim_without_both_or_without_a_mesh() -> None:
    shapes = [subject("gear", "sharp")]
    assert claims(rows_of(finished(shapes, ["miner", "igr"], lambda _: 0.1))) == []
    lost = finished(
        shapes, ["miner", "poisson"], lambda c: 0.1 if c.entry.method == "miner" else "hung."
    )
    assert claims(rows_of(lost)) == []
    assert claims(rows_of(finished([scan("dc")], ["miner", "poisson"], lambda _: 0.1))) == []


def test_best_values_are_those_that_print_best() -> None:
    table = {"cup": {"miner": 0.10001, "poisson": 0.10002, "IGR": 0.3}}
    run = finished([subject("cup")], METHODS, outcome_of(table))
    rows = rows_of(run)
    found = {quantity.name: quantity for quantity in with_values(all_quantities(run), rows)}
    assert best_of_rows(found["chamfer_triangles_percent"], rows) == "0.1000"
    assert best_of_rows(found["fscore"], rows) == "0.9990"
    # All alike, or no way to be better: none is best.
    assert best_of_rows(found["seconds"], rows) is None
    assert best_of_rows(found["faces"], rows) is None
    assert best_of_rows(found["chamfer_triangles_percent"], rows[:1]) is None
    assert rows[0].median(seconds) == 10.0
    # Sharp edges were asked for, scans were not.
    assert "edge_error_voxels" in found
    assert "one_sided_scan_chamfer" not in found
