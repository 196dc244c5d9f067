"""Ways to learn from labels of one pair, each judged on prompts that it did not learn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegressionCV, RidgeCV
from sklearn.neighbors import KNeighborsRegressor

from routellm_core.evaluation.metrics import apgr
from routellm_core.traffic.adapt.judged import cross_fitted, win_rates, worsens
from routellm_core.traffic.adapt.move import move
from routellm_core.training.mf.fit import fit_pair
from routellm_core.training.shared.features import standardisation

from .tables import BUNDLED, HONEST, Floats, Table

SIZES = (0, 25, 50, 100, 200, 500, 1000)
SLOW_SPLITS, SLOW_SIZES = 1, (100, 500)
"""Where mf from nothing, logistic regression and the controls are trained too: they take ten times
as long as the rest."""

TEST = 1500

ADAPT, SHUFFLED, PAIR = "adapt", "adapt, labels shuffled", "mf from nothing"
LENGTH = "prompt length"
OTHERS = ("ridge", "logistic", "ridge, TF-IDF", "logistic, TF-IDF", "kNN")
FROM_BUNDLED = "adapt from the bundled mf"


def adapted(
    table: Table, base: str, own: NDArray[np.int64], test: NDArray[np.int64], gains: Floats
) -> Floats:
    """Return the scores of the test prompts by what ``routellm adapt`` writes."""
    features, weights = table.features[base], table.weights[base]
    embedding = table.bases[base].embedding
    moved = move(features[own], weights, gains, embedding)
    if moved is None:
        return table.scores[base][test]
    folds, before = table.folds[own], table.scores[base][own]
    scores = cross_fitted(features[own], (weights, before), gains, folds, embedding)
    if worsens(scores, before, gains, folds):
        return table.scores[base][test]
    return win_rates(moved.gains(features[test]))


def others(
    table: Table, own: NDArray[np.int64], test: NDArray[np.int64], gains: Floats, slow: bool
) -> dict[str, Floats]:
    """Return the scores of the test prompts by routers that were trained from nothing."""
    mean, scale = standardisation(table.raw[own], table.bases[BUNDLED].embedding, 0.5)
    learned, tested = (
        ((table.raw[rows] - mean) * scale).astype(np.float64) for rows in (own, test)
    )
    words, tested_words = table.words[own], table.words[test]
    found = {
        "ridge": RidgeCV(np.logspace(-1, 6, 15)).fit(learned, gains).predict(tested),
        "ridge, TF-IDF": RidgeCV(np.logspace(-2, 3, 11)).fit(words, gains).predict(tested_words),
        "kNN": KNeighborsRegressor(max(1, round(len(own) ** 0.5)), metric="cosine")
        .fit(table.raw[own, :256], gains)
        .predict(table.raw[test, :256]),
    }
    wins = gains > 0
    if not slow:
        return found
    for name, columns, rows, strengths in (
        ("logistic", learned, tested, (1e-4, 1e-3, 1e-2)),
        ("logistic, TF-IDF", words, tested_words, (0.1, 1.0, 10.0)),
    ):
        if min(wins.sum(), (~wins).sum()) < 3:
            continue  # one class in a fold: it cannot be trained
        model = LogisticRegressionCV(
            Cs=strengths,
            cv=3,
            l1_ratios=(0,),
            scoring="neg_log_loss",
            max_iter=200,
            use_legacy_attributes=False,
        )
        found[name] = model.fit(columns, wins).decision_function(rows)
    ones = np.ones(len(own))
    fit = fit_pair(learned, (1 + gains) / 2, ones, ones, table.folds[own])
    found[PAIR] = tested @ fit.weights
    return found


def cell(table: Table, pair: tuple[int, int], split: int) -> dict[str, dict[str, float]]:
    """Return APGR on the test prompts of a split, by number of labels and way of learning."""
    strong, weak = table.quality[:, pair[0]], table.quality[:, pair[1]]
    both = np.flatnonzero(np.isfinite(strong) & np.isfinite(weak))
    rng = np.random.default_rng([split, *pair])
    both = rng.permutation(both)
    test, pool = both[:TEST], both[TEST:]

    def worth(scores: Floats) -> float:
        return apgr(np.asarray(scores), strong[test], weak[test])

    fixed = {name: worth(table.scores[name][test]) for name in (HONEST, BUNDLED)}
    fixed[LENGTH] = worth(table.length[test])
    found = {"0": {**fixed, ADAPT: fixed[HONEST], FROM_BUNDLED: fixed[BUNDLED]}}
    for size in SIZES[1:]:
        if size > len(pool):
            continue
        slow = split < SLOW_SPLITS and size in SLOW_SIZES
        own = pool[:size]
        gains = (strong - weak)[own]
        scores = others(table, own, test, gains, slow)
        scores[ADAPT] = adapted(table, HONEST, own, test, gains)
        if slow:
            scores[FROM_BUNDLED] = adapted(table, BUNDLED, own, test, gains)
            scores[SHUFFLED] = adapted(table, HONEST, own, test, rng.permutation(gains))
        found[str(size)] = {name: worth(each) for name, each in scores.items()}
    return found
