"""What a cross-validation found, as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ...evaluation.intervals import Estimate
from ...evaluation.pairs import OverPairs
from ...evaluation.reporting.wording import estimated, signed
from ...evaluation.results import LENGTH, BenchmarkResult

ROWS = "cross_validation.md"
"""The file with the figures as tables in Markdown."""


@dataclass(frozen=True)
class Compared:
    """The candidates, and prompt length, on what one source holds."""

    title: str
    n: int
    """How many prompts."""
    apgr: Mapping[str, Estimate | None]
    """By name."""
    over: Mapping[str, Mapping[str, Estimate]]
    """By name, and by that of another, by how much its APGR is above that one's, paired."""
    pairs: int | None = None
    """Of how many pairs of models it is the mean; None for the configured pair."""

    @classmethod
    def of_pair(cls, result: BenchmarkResult) -> Compared:
        """Return what was found on one pair of models."""
        names = [*(each.name for each in result.results if each.kind == "router"), LENGTH]
        found = {name: result.named(name) for name in names}
        return cls(
            result.benchmark,
            result.n,
            {name: each.apgr for name, each in found.items()},
            {name: each.over for name, each in found.items()},
        )

    @classmethod
    def of_pairs(cls, title: str, n: int, found: OverPairs) -> Compared:
        """Return what was found on all pairs of models."""
        return cls(
            title,
            n,
            {name: found.estimate(name) for name in found.mean},
            {
                name: {other: found.over(name, other) for other in found.mean if other != name}
                for name in found.mean
            },
            found.pairs,
        )


Rows = list[list[str]]
"""Of a table, the first being its head."""


def tables(found: Sequence[Compared]) -> Iterator[Rows]:
    """Yield APGR by source, how far candidates are above prompt length, and above the first one.

    The last table is left out for a single candidate.
    """
    names = [name for name in found[0].apgr if name != LENGTH]
    columns = [*names, LENGTH]
    yield [
        ["APGR", *columns],
        *([_titled(each), *(estimated(each.apgr[name]) for name in columns)] for each in found),
    ]
    for other, compared in ((LENGTH, names), (names[0], names[1:])):
        if compared:
            yield [
                [f"over {other}", *compared],
                *(
                    [
                        _titled(each),
                        *(estimated(each.over[name].get(other), signed) for name in compared),
                    ]
                    for each in found
                ),
            ]


def markdown(found: Sequence[Compared]) -> str:
    """Return the same as tables in Markdown."""
    return "\n".join(_markdown(rows) for rows in tables(found))


def _titled(each: Compared) -> str:
    pairs = "" if each.pairs is None else f", pairs = {each.pairs:,}"
    return f"{each.title}, n = {each.n:,}{pairs}"


def _markdown(rows: Rows) -> str:
    head, *rest = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([head, f"|{' --- |' * len(rows[0])}", *rest]) + "\n"
