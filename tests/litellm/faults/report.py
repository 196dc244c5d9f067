"""The table of a run, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from tests.litellm.faults.load import Outcome
from tests.litellm.faults.phases import STAGES

GROWTH = 1.10
"""Most that a proxy's memory may grow from the end of one round to that of the last."""
SLOWER = 1.10
"""Most that the p95 of an alias may be, as a multiple of its groups'."""

Outcomes = Mapping[tuple[str, str], Outcome]


def print_table(console: Console, outcomes: Outcomes, title: str) -> None:
    """Print what was lost and how long requests took, by phase."""
    columns = ("lost: plain", "alias", "p50 ms: plain", "alias", "p95 ms: plain", "alias")
    table = Table("proxy", "phase", *columns, "alias/plain p95", title=title)
    for (stage, phase), outcome in outcomes.items():
        if outcome.seconds["alias"]:
            table.add_row(stage, phase, *_figures(outcome))
    console.print(table)


def problems(
    console: Console, outcomes: Outcomes, memory: Mapping[str, Sequence[float]]
) -> list[str]:
    """Return what is wrong, one line each; prints the use of memory."""
    wrong = []
    severing = {(s.name, p.name) for s in STAGES for p in s.phases if p.severs}
    for key, outcome in outcomes.items():
        name = ", ".join(key)
        plain, alias = (outcome.losses(kind, key not in severing) for kind in ("plain", "alias"))
        if alias > plain:
            wrong.append(f"{name}: the alias lost {alias}, its groups {plain}")
        if outcome.unsent:
            wrong.append(f"{name}: no time for {outcome.unsent} pairs")
        if outcome.seconds["alias"] and _p95_ratio(outcome)[1] > SLOWER:
            wrong.append(f"{name}: the alias's p95 is more than {SLOWER:g} times its groups'")
    for stage, sizes in memory.items():
        console.print(f"{stage}: MiB after each round: {', '.join(f'{s:.0f}' for s in sizes)}")
        if sizes[-1] > GROWTH * sizes[0]:
            wrong.append(f"{stage}: memory grew")
    return wrong


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
