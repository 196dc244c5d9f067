"""How often the bound of `routellm adapt` on the loss of quality holds, on prompts not labelled.

    python -m tests.benchmarks.quality.adapt_bound [FOLDER]

With ``ROUTELLM_DATA``; FOLDER as for ``learning_curves``. The bound is told of five routers, each
on labels that it did not learn, and the router deployed learned all labels: so it is measured.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from routellm_core.rules.risk import bounded_loss
from routellm_core.traffic.adapt.judged import cross_fitted, win_rates, worsens
from routellm_core.traffic.adapt.move import move
from tests.benchmarks.quality.data import data_folder
from tests.benchmarks.quality.learning_curves.tables import HONEST, ROOT, SOURCES, Table

LABELS, REPEATS = 300, 15
MAX_LOSS, CONFIDENCE = 0.05, 0.95


def held(table: Table, pair: tuple[int, int], repeat: int) -> tuple[float, float] | None:
    """Return the loss of routing at the threshold found, and the share of calls for the weak model,
    on the prompts without labels; None if no threshold was found.
    """
    strong, weak = table.quality[:, pair[0]], table.quality[:, pair[1]]
    both = np.flatnonzero(np.isfinite(strong) & np.isfinite(weak))
    both = np.random.default_rng([repeat, *pair]).permutation(both)
    own, rest = both[:LABELS], both[LABELS:]
    features, weights = table.features[HONEST], table.weights[HONEST]
    before, embedding = table.scores[HONEST], table.bases[HONEST].embedding
    gains, folds = (strong - weak)[own], table.folds[own]
    scores = cross_fitted(features[own], (weights, before[own]), gains, folds, embedding)
    moved = move(features[own], weights, gains, embedding)
    if moved is None or worsens(scores, before[own], gains, folds):
        scores, deployed = before[own], before[rest]
    else:
        deployed = win_rates(moved.gains(features[rest]))
    found = bounded_loss(
        scores, strong[own], weak[own], max_loss=MAX_LOSS, confidence=CONFIDENCE
    ).threshold
    if found is None:
        return None
    is_weak = deployed < found
    return float(np.where(is_weak, (strong - weak)[rest], 0).mean()), float(is_weak.mean())


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "learning-curves")
    data = data_folder()
    found = []
    for source in SOURCES:
        table = Table(source, data, folder)
        found += [held(table, pair, at) for pair in table.pairs() for at in range(REPEATS)]
    told = np.array([each for each in found if each is not None])
    beyond = int((told[:, 0] > MAX_LOSS).sum())
    print(  # noqa: T201
        f"{len(found)} times {LABELS} labels: a threshold in {len(told)}; its loss is above "
        f"{MAX_LOSS:g} in {beyond} ({100 * beyond / len(told):.1f} %); share of calls for the weak "
        f"model {told[:, 1].mean():.2f}"
    )


if __name__ == "__main__":
    main()
