"""What `routellm label --budget` gains over labels of prompts chosen at random.

    python -m tests.benchmarks.quality.label_choice [FOLDER]

With ``ROUTELLM_DATA``; FOLDER as for ``learning_curves``, whose sources and pairs these are. The
same prompts are offered to each way of choosing; APGR is on prompts that were not. Beside APGR, how
far the mean gain of the chosen prompts is from that of all that were offered: what share, saving
and loss are estimated from. "Near the threshold" spends half of the labels on prompts whose score
is nearest to the middle, which `--budget` does not do: its estimates would not hold for all.
About five minutes of one core.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from routellm_core.evaluation.metrics import apgr
from routellm_core.evaluation.reporting.wording import plain, signed
from routellm_core.traffic.label.choose import choose

from .data import data_folder
from .learning_curves.page import interval_over_pairs
from .learning_curves.tables import HONEST, ROOT, SOURCES, Floats, Table
from .learning_curves.ways import TEST, adapted

BUDGETS = (50, 100, 200, 400)
OFFERED, SPLITS = 2000, 5

Rows = NDArray[np.int64]
Cells = dict[tuple[int, str], list[list[float]]]
"""By budget and way of choosing, of each pair the figures of its splits."""

SPREAD, RANDOM, NEAR = "--budget", "random", "half near the threshold"


def chosen(table: Table, pool: Rows, n: int, seed: int) -> dict[str, Rows]:
    """Return which of the prompts each way of choosing labels."""
    vectors = table.raw[pool, : table.bases[HONEST].embedding].astype(np.float64)
    scores = table.scores[HONEST][pool]
    rng = np.random.default_rng(seed)
    nearest = np.argsort(np.abs(scores - np.median(scores)), kind="stable")[: n // 2]
    others = rng.permutation(np.setdiff1d(np.arange(len(pool)), nearest))[: n - n // 2]
    return {
        SPREAD: pool[choose([""] * len(pool), n, vectors, scores, seed)],
        RANDOM: pool[rng.permutation(len(pool))[:n]],
        NEAR: pool[np.concatenate([nearest, others])],
    }


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "learning-curves")
    data = data_folder()
    worth: Cells = defaultdict(list)
    off: Cells = defaultdict(list)
    for source in SOURCES:
        table = Table(source, data, folder)
        for pair in table.pairs():
            strong, weak = table.quality[:, pair[0]], table.quality[:, pair[1]]
            both = np.flatnonzero(np.isfinite(strong) & np.isfinite(weak))
            for budget in BUDGETS:
                found: tuple[dict[str, list[float]], ...] = defaultdict(list), defaultdict(list)
                for split in range(SPLITS):
                    order = np.random.default_rng([7, split, *pair]).permutation(both)
                    test, pool = order[:TEST], order[TEST : TEST + OFFERED]
                    for name, own in chosen(table, pool, budget, split).items():
                        gains = strong - weak
                        scores = adapted(table, HONEST, own, test, gains[own])
                        found[0][name].append(apgr(scores, strong[test], weak[test]))
                        found[1][name].append(abs(gains[own].mean() - gains[pool].mean()))
                for name in (SPREAD, RANDOM, NEAR):
                    worth[budget, name].append(found[0][name])
                    off[budget, name].append(found[1][name])
    for title, cells in (
        ("APGR", worth),
        ("distance of the mean gain from that of all prompts offered", off),
    ):
        sys.stdout.write("\n".join(_table(title, cells)) + "\n\n")


def _table(title: str, cells: Cells) -> list[str]:
    """Return a table in Markdown, with intervals over pairs."""
    lines = [f"| {title} | {' | '.join(map(str, BUDGETS))} |", f"|{' --- |' * (len(BUDGETS) + 1)}"]
    means: dict[tuple[int, str], Floats] = {
        key: np.array([np.mean(each) for each in values]) for key, values in cells.items()
    }
    for name in (SPREAD, RANDOM, NEAR):
        shown = (plain(float(means[budget, name].mean())) for budget in BUDGETS)
        lines.append(f"| {name} | {' | '.join(shown)} |")
    for name in (RANDOM, NEAR):
        row = []
        for budget in BUDGETS:
            mean, low, high = interval_over_pairs(means[budget, SPREAD] - means[budget, name])
            row.append(f"{signed(mean)} [{signed(low)}, {signed(high)}]")
        lines.append(f"| {SPREAD} less {name} | {' | '.join(row)} |")
    return lines


if __name__ == "__main__":
    main()
