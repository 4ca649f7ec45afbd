"""Who was nearest to the source, where it is a tie, and what becomes of the paper's claim."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eval.batch_report.columns import distance_percent, measure, seconds
from eval.batch_report.rows import Row, by_field, distance_error, field_of, of_subject
from eval.experiment.settings import Contender
from eval.experiment.subjects import Subject

# Differences of so many standard errors of the sampling are none.
_TIE = 2.0
# Ratios of distances, and of seconds, that still count as equal.
EQUAL_DISTANCE, EQUAL_SECONDS = 1.1, 1.5


@dataclass(frozen=True)
class Standing:
    """How a contender did over all shapes, beside those that were given as much.

    Parameters
    ----------
    given : the mesh, points, or points without normals; wins count among the same.
    rivals : contenders that were given the same, itself included.
    shapes, made : shapes it ran on; those on which every seed gave a usable mesh.
    wins, ties : shapes on which it was nearest alone; on which others were as near.
    """

    contender: Contender
    given: str
    rivals: int
    shapes: int
    made: int
    wins: int
    ties: int
    rows: tuple[Row, ...]

    def median(self, value: Callable[[Row], float | None]) -> float | None:
        """Over shapes; a shape without a mesh counts as worse than any, so None if most are."""
        values = [math.inf if (v := value(row)) is None else v for row in self.rows]
        middle = statistics.median(values) if values else math.inf
        return None if middle == math.inf else middle


def final_rows(rows: Sequence[Row]) -> list[Row]:
    """Of every contender on a shape the row with its last, largest budget."""
    last = {(row.subject.name, row.contender.label): row for row in rows}
    return [row for row in rows if last[row.subject.name, row.contender.label] is row]


def nearest(rows: Sequence[Row]) -> list[Row]:
    """The rows nearest to the source: the best, and those as near within the sampling error."""
    made = [row for row in rows if row.made]
    if not made:
        return []

    def away(row: Row) -> float:
        found = row.median(lambda record, subject: distance_percent(record, subject))
        assert found is not None
        return found * row.subject.diagonal / 100

    first = min(made, key=away)
    return [
        row
        for row in made
        if away(row) - away(first) <= _TIE * math.hypot(distance_error(row), distance_error(first))
    ]


def standings(rows: Sequence[Row]) -> list[Standing]:
    """Every contender over all its shapes, in the order of the config."""
    final = final_rows(rows)
    contenders = {row.contender.label: row.contender for row in final}
    subjects = {row.subject.name: row.subject for row in final}
    fields = [field_of(contender) for contender in contenders.values()]
    wins, ties = dict.fromkeys(contenders, 0), dict.fromkeys(contenders, 0)
    for subject in subjects.values():
        for rivals in by_field(of_subject(final, subject)).values():
            best = nearest(rivals) if len(rivals) > 1 else []
            for row in best:
                (wins if len(best) == 1 else ties)[row.contender.label] += 1
    found = []
    for label, contender in contenders.items():
        own = tuple(row for row in final if row.contender.label == label)
        field = field_of(contender)
        found.append(
            Standing(
                contender,
                field,
                fields.count(field),
                len(own),
                sum(not row.failed for row in own),
                wins[label],
                ties[label],
                own,
            )
        )
    return found


def summary(rows: Sequence[Row]) -> list[str]:
    """What was compared and who won, in sentences."""
    found = standings(rows)
    subjects = {row.subject.name: row.subject for row in rows}
    runs = [record for row in rows for record in row.records]
    failed = sum(record["failure"] is not None for record in runs)
    sentences = [
        f"{_count(len(found), 'contender')} on {_count(len(subjects), 'shape')}: "
        f"{_count(len(runs), 'reconstruction')}, "
        + (f"{failed} of which failed." if failed else "none of which failed.")
    ]
    for field in dict.fromkeys(standing.given for standing in found):
        own = [standing for standing in found if standing.given == field]
        sentences.append(_alone(own[0]) if len(own) == 1 else _order(field, own))
    return [*sentences, "Distances are in percent of the bounding box's diagonal."]


@dataclass(frozen=True)
class Claim:
    """A sentence of the MINER paper, held against a run.

    Parameters
    ----------
    statement : what is claimed, with what becomes of it.
    evidence : one sentence.
    """

    statement: str
    evidence: str

    def __str__(self) -> str:
        return f"{self.statement}: {self.evidence}"


def claims(rows: Sequence[Row]) -> list[Claim]:
    """What the MINER paper says of MINER and Poisson, held against this run; none without both."""
    final = final_rows(rows)
    labels = {row.contender.label: row.contender for row in final}
    ours = [label for label, c in labels.items() if c.method == "miner" and not c.ignore_normals]
    theirs = [label for label, c in labels.items() if c.method == "poisson"]
    found = [
        _claim(final, label, other, character)
        for character in ("sharp", "scan")
        for label in ours
        for other in theirs
    ]
    return [claim for claim in found if claim is not None]


def _claim(rows: Sequence[Row], label: str, other: str, character: str) -> Claim | None:
    pairs = []
    for subject in {row.subject.name: row.subject for row in rows}.values():
        own = {row.contender.label: row for row in of_subject(rows, subject)}
        if subject.character == character and not subject.cloud and {label, other} <= own.keys():
            pairs.append((own[label], own[other]))
    both = [(a, b) for a, b in pairs if a.made and b.made]
    if not both:
        return None
    ratios = [_ratio(b, a, distance_percent) for a, b in both]
    times = [_ratio(a, b, seconds) for a, b in both]
    names = ", ".join(subject_words(a.subject) for a, _ in both)
    time = statistics.median(times)
    pace = f"takes {time:.2g} times Poisson's seconds, {_time_words(time)}"
    middle = statistics.median(ratios)
    if character == "sharp":
        nearer = sum(nearest(pair) == [pair[0]] for pair in both)
        edges = [
            _ratio(b, a, measure("edge_error_voxels", "mean"))
            for a, b in both
            if a.values(measure("edge_error_voxels", "mean"))
            and b.values(measure("edge_error_voxels", "mean"))
        ]
        at_edges = f" and {statistics.median(edges):.2g} times at sharp edges" if edges else ""
        return Claim(
            f"“MINER beats Poisson on sharp parts” {_verdict(nearer, len(both))}",
            f"{label} is nearer than {other} on {nearer} of {len(both)} ({names}); Poisson's "
            f"distance is {middle:.2g} times MINER's in the median{at_edges}; MINER {pace}.",
        )
    equal = sum(1 / EQUAL_DISTANCE <= ratio <= EQUAL_DISTANCE for ratio in ratios)
    ahead = sum(ratio > EQUAL_DISTANCE for ratio in ratios)
    behind = len(ratios) - equal - ahead
    apart = [f"MINER nearer on {ahead}"] * bool(ahead) + [f"Poisson on {behind}"] * bool(behind)
    others = f", {' and '.join(apart)}" if apart else ""
    return Claim(
        f"“MINER and Poisson are equal on scans” {_verdict(equal, len(both))}",
        f"{label} and {other} are within 10 % of each other on {equal} of {len(both)} ({names})"
        f"{others}; Poisson's distance is {middle:.2g} times MINER's in the median; MINER {pace}.",
    )


def subject_words(subject: Subject) -> str:
    """A shape's title, and whom it stands in for."""
    if subject.stand_in:
        return f"{subject.title} (stand-in for {' and '.join(subject.wanted)})"
    return subject.title


def _time_words(ratio: float) -> str:
    if ratio > EQUAL_SECONDS:
        return "more than equal time"
    return "equal time" if ratio >= 1 / EQUAL_SECONDS else "less than equal time"


def _verdict(count: int, of: int) -> str:
    return "holds" if count == of else "does not hold" if not count else "holds in part"


def _ratio(first: Row, second: Row, value: Callable[..., float | None]) -> float:
    a, b = first.median(value), second.median(value)
    assert a is not None
    assert b is not None
    return a / max(b, 1e-300)


def _alone(standing: Standing) -> str:
    """Of a contender without rivals."""
    return (
        f"{standing.contender.label}, the only one given {standing.given}: "
        f"median distance {_away(standing)}."
    )


def _order(field: str, own: Sequence[Standing]) -> str:
    """Who was nearest how often, among those given as much."""
    shapes = max(standing.shapes for standing in own)
    ranked = sorted(own, key=lambda s: (-s.wins, -s.ties))
    won = [f"{s.contender.label} on {s.wins}" for s in ranked if s.wins]
    shared = [f"{s.contender.label} on {s.ties}" for s in ranked if s.ties]
    words = f"Given {field}, nearest to the source: {_listed(won) if won else 'none alone'} "
    words += f"of {_count(shapes, 'shape')}"
    if shared:
        words += f"; as near as another within the sampling error: {_listed(shared)}"
    medians = ", ".join(f"{s.contender.label} {_away(s)}" for s in own)
    return f"{words}. Median distances: {medians}."


def _away(standing: Standing) -> str:
    middle = standing.median(_percent)
    return "none on most shapes" if middle is None else f"{middle:.3g} %"


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _percent(row: Row) -> float | None:
    return row.median(distance_percent)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
