"""The table of a run, and whether its claims are met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from tests.litellm.faults.load import Outcome
from tests.litellm.faults.phases import STAGES

GROWTH = 1.05
"""Most that a proxy's memory may grow from the first quarter of the time to the last."""
SLOWER = 1.10
"""Most that the p95 of an alias may be, as a multiple of its groups'."""
UNSURE = 1.5
"""Most that it may be in a single phase, whose interval is wide."""

Outcomes = Mapping[tuple[str, str], Outcome]


class Size(NamedTuple):
    """The memory of a proxy at some time."""

    seconds: float
    mib: float


class Verdict(NamedTuple):
    """Whether a claim is met."""

    met: bool
    claim: str


def print_table(console: Console, outcomes: Outcomes, title: str) -> None:
    """Print what was lost and how long requests took, by phase."""
    columns = ("lost: plain", "alias", "p50 ms: plain", "alias", "p95 ms: plain", "alias")
    table = Table("proxy", "phase", *columns, "alias/plain p95", title=title)
    for (stage, phase), outcome in outcomes.items():
        if outcome.seconds["alias"]:
            table.add_row(stage, phase, *_figures(outcome))
    console.print(table)


def verdicts(outcomes: Outcomes, sizes: Sequence[Size]) -> list[Verdict]:
    """Return whether each claim is met.

    Args:
        outcomes: of each phase, by the names of its stage and its own.
        sizes: of the proxy with one worker, after its first round, in the order of time.
    """
    severing = {(s.name, p.name) for s in STAGES for p in s.phases if p.severs}
    found = []
    for key, outcome in outcomes.items():
        name = ", ".join(key)
        plain, alias = (outcome.losses(kind, key not in severing) for kind in ("plain", "alias"))
        claim = f"{name}: the alias lost {alias}, its groups {plain}"
        found.append(Verdict(alias <= plain, claim))
        if outcome.unsent:
            found.append(Verdict(False, f"{name}: no time for {outcome.unsent} pairs"))
    for key, outcome in outcomes.items():
        if outcome.seconds["alias"]:
            ratio, low, high = _p95_ratio(outcome)
            # A wide interval shows little, so that the figure itself has a bound too.
            claim = f"{', '.join(key)}: p95 {ratio:.2f} ({low:.2f} to {high:.2f}) times its groups'"
            found.append(Verdict(low <= SLOWER and ratio <= UNSURE, claim))
    together = Outcome()
    for outcome in outcomes.values():
        for kind, seconds in outcome.seconds.items():
            together.seconds[kind].extend(seconds)
    ratio, low, high = _p95_ratio(together)
    claim = f"all phases: p95 {ratio:.2f} ({low:.2f} to {high:.2f}) times the groups', at most"
    found.append(Verdict(ratio <= SLOWER, f"{claim} {SLOWER:g}"))
    found.append(_is_flat(sizes))
    return found


def _is_flat(sizes: Sequence[Size]) -> Verdict:
    """Compare the memory of the last quarter of the time with that of the first."""
    if len(sizes) < 4:
        return Verdict(False, "memory: read too seldom to say anything; take more requests")
    quarter = len(sizes) // 4
    first, last = (
        float(np.median([size.mib for size in part]))
        for part in (sizes[:quarter], sizes[-quarter:])
    )
    slope = np.polyfit([s.seconds / 3600 for s in sizes], [s.mib for s in sizes], 1)[0]
    claim = (
        f"memory after the first round: {first:.0f} MiB, then {last:.0f} MiB within "
        f"{sizes[-1].seconds / 60:.0f} minutes ({slope:+.0f} MiB an hour)"
    )
    return Verdict(last <= GROWTH * first, claim)


def _figures(outcome: Outcome) -> list[str]:
    figures = []
    for kind in ("plain", "alias"):
        reasons = ", ".join(f"{n} {reason}" for reason, n in outcome.lost[kind].items())
        figures.append(reasons or "0")
    for percent in (50, 95):
        for kind in ("plain", "alias"):
            figures.append(f"{1000 * np.percentile(outcome.seconds[kind], percent):.0f}")
    ratio, low, high = _p95_ratio(outcome)
    return [*figures, f"{ratio:.2f} ({low:.2f} to {high:.2f})"]


def _p95_ratio(outcome: Outcome, draws: int = 1_000) -> tuple[float, float, float]:
    """Return the alias's p95 as a multiple of its groups', and its bootstrap 95 % interval."""
    plain, alias = (np.array(outcome.seconds[kind]) for kind in ("plain", "alias"))
    rng = np.random.default_rng(0)
    ratios = [
        np.percentile(rng.choice(alias, len(alias)), 95)
        / np.percentile(rng.choice(plain, len(plain)), 95)
        for _ in range(draws)
    ]
    low, high = np.percentile(ratios, [2.5, 97.5])
    return float(np.percentile(alias, 95) / np.percentile(plain, 95)), float(low), float(high)
