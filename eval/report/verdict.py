"""Sentences about a batch: which method was nearest to the source, and the paper's claims."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from eval.benchmark.subjects import Subject
from eval.report.overview import Standing, nearest
from eval.report.quantities import distance_percent, measured, seconds
from eval.report.rows import Row, Value, final_rows, of_subject

# Ratios of distances, and of seconds, that still count as equal.
EQUAL_DISTANCE, EQUAL_SECONDS = 1.1, 1.5
# Failures that the headline names; the tables have all.
_NAMED = 4
# Kinds of shapes about which the paper makes a claim, and what it claims.
_CLAIMS = {
    "sharp": "MINER beats Poisson on sharp parts",
    "scan": "MINER and Poisson are equal on scans",
}

Pairs = Sequence[tuple[Row, Row]]


def summary(rows: Sequence[Row], standings: Sequence[Standing]) -> list[str]:
    """What was compared and what was nearest, in sentences."""
    subjects = {row.subject.name: row.subject for row in rows}
    sentences = [
        f"{_count(len(standings), 'method')} on {_count(len(subjects), 'shape')}: "
        f"{_count(sum(len(row.records) for row in rows), 'reconstruction')}{_failures(rows)}."
    ]
    for input_kind in dict.fromkeys(standing.input_kind for standing in standings):
        competitors = [standing for standing in standings if standing.input_kind == input_kind]
        one = len(competitors) == 1
        sentences.append(_single(competitors[0]) if one else _order(input_kind, competitors))
    return [*sentences, "Distances are in percent of the bounding box's diagonal."]


def _failures(rows: Sequence[Row]) -> str:
    """The end of a sentence: how many runs failed, in what way, and which."""
    lost, far = [row.lost for row in rows], [row.far for row in rows]
    parts = []
    if sum(lost):
        parts.append(f"{sum(lost)} gave no mesh ({_which(rows, lost)})")
    if sum(far):
        limit = f"{100 * rows[0].failed_above:g} % of the diagonal"
        words = (
            f"is farther than {limit} from its source and counts"
            if sum(far) == 1
            else f"are farther than {limit} from their sources and count"
        )
        parts.append(f"{sum(far)} {words} as failed ({_which(rows, far)})")
    return f"; {'; '.join(parts)}" if parts else ", none of which failed"


def _which(rows: Sequence[Row], counts: Sequence[int]) -> str:
    """The rows whose count is not 0."""
    pairs = zip(rows, counts, strict=True)
    names = [f"{row.label} on {row.subject.title}" for row, count in pairs if count]
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


@dataclass(frozen=True)
class Claim:
    """A sentence of the MINER paper, compared with a run.

    Parameters
    ----------
    statement : the claim and whether it holds.
    evidence : one sentence.
    """

    statement: str
    evidence: str

    def __str__(self) -> str:
        return f"{self.statement}: {self.evidence}"


def claims(rows: Sequence[Row]) -> list[Claim]:
    """The MINER paper's claims about MINER and Poisson in this run; none without both methods."""
    final = final_rows(rows)
    entries = {row.entry.label: row.entry for row in final}
    miner = [n for n, e in entries.items() if e.method == "miner" and not e.ignore_normals]
    poisson = [label for label, entry in entries.items() if entry.method == "poisson"]
    triples = [
        (character, ours, other) for character in _CLAIMS for ours in miner for other in poisson
    ]
    return [
        _claim(character, ours, other, pairs)
        for character, ours, other in triples
        if (pairs := _pairs(final, ours, other, character))
    ]


def subject_title(subject: Subject) -> str:
    """A shape's title, and what it stands in for."""
    if subject.stand_in:
        return f"{subject.title} (stand-in for {' and '.join(subject.stands_in_for)})"
    return subject.title


def _pairs(rows: Sequence[Row], first: str, second: str, character: str) -> Pairs:
    """The rows of two entries on every mesh of a character on which both gave a mesh."""
    pairs = []
    for subject in {row.subject.name: row.subject for row in rows}.values():
        made = {row.entry.label: row for row in of_subject(rows, subject) if row.made}
        if subject.character == character and not subject.cloud and {first, second} <= made.keys():
            pairs.append((made[first], made[second]))
    return pairs


def _claim(character: str, ours: str, other: str, pairs: Pairs) -> Claim:
    names = ", ".join(subject_title(row.subject) for row, _ in pairs)
    ratios = [_ratio(b, a, distance_percent) for a, b in pairs]
    time = statistics.median(_ratio(a, b, seconds) for a, b in pairs)
    middle = f"Poisson's distance is {statistics.median(ratios):.2g} times MINER's in the median"
    pace = f"MINER takes {time:.2g} times Poisson's seconds, {_time_text(time)}"
    if character == "sharp":
        count = sum(nearest(pair) == [pair[0]] for pair in pairs)
        comparison = f"{ours} is nearer than {other} on {count} of {len(pairs)} ({names})"
        middle += _at_edges(pairs)
    else:
        count = sum(1 / EQUAL_DISTANCE <= ratio <= EQUAL_DISTANCE for ratio in ratios)
        comparison = f"{ours} and {other} are within 10 % of each other on {count} of {len(pairs)}"
        comparison += f" ({names}){_unequal(ratios)}"
    verdict = _verdict(count, len(pairs))
    return Claim(f"“{_CLAIMS[character]}” {verdict}", f"{comparison}; {middle}; {pace}.")


def _at_edges(pairs: Pairs) -> str:
    """How the distances at sharp edges compare, where both have one."""
    value = measured("edge_error_voxels")
    ratios = [_ratio(b, a, value) for a, b in pairs if a.values(value) and b.values(value)]
    return f" and {statistics.median(ratios):.2g} times at sharp edges" if ratios else ""


def _unequal(ratios: Sequence[float]) -> str:
    """How often either method is nearer."""
    ahead = sum(ratio > EQUAL_DISTANCE for ratio in ratios)
    behind = sum(ratio < 1 / EQUAL_DISTANCE for ratio in ratios)
    parts = [f"MINER nearer on {ahead}"] * bool(ahead) + [f"Poisson on {behind}"] * bool(behind)
    return f", {' and '.join(parts)}" if parts else ""


def _time_text(ratio: float) -> str:
    if ratio > EQUAL_SECONDS:
        return "more than equal time"
    return "equal time" if ratio >= 1 / EQUAL_SECONDS else "less than equal time"


def _verdict(count: int, total: int) -> str:
    return "holds" if count == total else "does not hold" if not count else "holds in part"


def _ratio(first: Row, second: Row, value: Value) -> float:
    a, b = first.median(value), second.median(value)
    assert a is not None
    assert b is not None
    return a / max(b, 1e-300)


def _single(standing: Standing) -> str:
    """The result of an entry without competitors."""
    return (
        f"{standing.entry.label}, the only one given {standing.input_kind}: "
        f"median distance {_away(standing)}."
    )


def _order(input_kind: str, competitors: Sequence[Standing]) -> str:
    """Which entry was nearest how often, among those with the same input."""
    shapes = max(standing.shapes for standing in competitors)
    ranked = sorted(competitors, key=lambda s: (-s.wins, -s.ties))
    won = [f"{s.entry.label} on {s.wins}" for s in ranked if s.wins]
    shared = [f"{s.entry.label} on {s.ties}" for s in ranked if s.ties]
    text = f"Given {input_kind}, nearest to the source: {_listed(won) if won else 'none alone'} "
    text += f"of {_count(shapes, 'shape')}"
    if shared:
        text += f"; as near as another within the sampling error: {_listed(shared)}"
    medians = ", ".join(f"{s.entry.label} {_away(s)}" for s in competitors)
    return f"{text}. Median distances: {medians}."


def _away(standing: Standing) -> str:
    middle = standing.median(distance_percent)
    return "none on most shapes" if middle is None else f"{middle:.3g} %"


def _listed(texts: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(texts[:-1]), texts[-1])))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
