"""What 200 and 1,000 labels of one pair teach mf, beside ridge regression on the same features.

    python -m tests.benchmarks.quality.pair_labels DATA

DATA is the folder with train/ and validation/. The ridge regression is scikit-learn's RidgeCV,
whose penalty is chosen by leave-one-out error. Each of 10 splits draws the labels and judges both
on all other prompts; the interval is 95 % of the mean paired difference over splits, which share
prompts and so understate it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from sklearn.linear_model import RidgeCV

from routellm_core.data.labels import read_gold
from routellm_core.data.outcomes import Outcomes
from routellm_core.encoders.surface import surface_features
from routellm_core.evaluation.metrics import apgr
from routellm_core.registry.loading import load_encoder
from routellm_core.training.mf.fit import fit_pair
from routellm_core.training.shared.features import standardisation
from routellm_core.training.shared.folds import FOLDS

PAIRS = {
    "train/gold_routerbench": ("gpt-4-1106-preview", "mixtral-8x7b-instruct-v0.1"),
    "train/gold_mmlu_pro": ("gpt-4o-2024-05-13", "Mixtral-8x7B-Instruct-v0.1_5shots"),
    "train/gold_evouna_openqa": ("gpt-4", "gpt-3.5-turbo"),
}
"""By source, the model that is better and the one that is worse."""

SPLITS = 10
_T = 2.262  # of 95 %, with 9 degrees of freedom


def main(data: Path) -> None:
    _say("| source | labels | mf | ridge | difference, 95 % |")
    _say("|---|---|---|---|---|")
    encoder = load_encoder("static")
    for name, pair in PAIRS.items():
        path = data / f"{name}.jsonl.gz"
        table = Outcomes.of(path.name, read_gold(path))
        strong, weak = map(table.models.index, pair)
        seen = np.isfinite(table.quality[:, [strong, weak]]).all(axis=1)
        table = table.only(seen)
        better, worse = table.quality[:, strong], table.quality[:, weak]
        raw = np.hstack([encoder.encode(table.prompts), surface_features(table.prompts)])
        for size in (200, 1000):
            found = np.array(
                [_split(raw, encoder.dim, better, worse, size, seed) for seed in range(SPLITS)]
            )
            difference = found[:, 0] - found[:, 1]
            half = _T * difference.std(ddof=1) / SPLITS**0.5
            mean = difference.mean()
            ours, ridge = found.mean(axis=0)
            _say(
                f"| {name.split('/')[1]}, {table.models[strong]} and {table.models[weak]} | "
                f"{size:,} | {ours:.4f} | {ridge:.4f} | "
                f"{mean:+.4f} [{mean - half:+.4f}, {mean + half:+.4f}] |",
            )


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _split(
    raw: np.ndarray, dim: int, better: np.ndarray, worse: np.ndarray, size: int, seed: int
) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(raw))
    learn, judge = order[:size], order[size:]
    mean, scale = standardisation(raw[learn], dim, 0.5)
    features = ((raw - mean) * scale).astype(np.float64)
    won = (1 + better[learn] - worse[learn]) / 2
    ones = np.ones(size)
    fit = fit_pair(features[learn], won, ones, ones, rng.integers(FOLDS, size=size))
    ridge = RidgeCV(alphas=10.0 ** np.arange(-2, 5.1, 0.5)).fit(features[learn], won)
    return (
        apgr(features[judge] @ fit.weights, better[judge], worse[judge]),
        apgr(ridge.predict(features[judge]), better[judge], worse[judge]),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
