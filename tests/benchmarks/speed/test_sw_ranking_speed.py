"""sw_ranking beside the original algorithm, at the size of the paper's data, and what it takes.

The original fits scikit-learn's logistic regression over all battles, twice each, for every
prompt. It is written here from the formula, on the same vectors, in the same process; its design
matrix and the lengths of the vectors are made beforehand, which the released code does each time.
"""

from __future__ import annotations

import itertools
import sys
import time
import warnings

import numpy as np
import pytest

from routellm_core.routers.embedding_checkpoint import sigmoid
from routellm_core.routers.sw_ranking.directions import shortened
from routellm_core.routers.sw_ranking.router import SWRankingRouter
from routellm_core.routers.sw_ranking.tally import Battles, order_of

from .measure import in_fresh_process, race

BATTLES, DIM, MODELS = 55_000, 384, 64
PROMPTS = 40
BATCH = 64

LEAST_RATIO = 5.0
"""How many times as long the original takes at least: a third of what a quiet machine shows. Seven
were measured beside other work on the machine."""

LEAST_GAIN = 4.0
"""How many times as many prompts a second a batch scores at least: a third of what a quiet machine
shows."""

MEMORY = """
import json, sys
import numpy as np
from routellm_core import load_router
def resident_mb():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024
load_router("random").score(["hello"])
load_router("mf").score(["hello"])
before = resident_mb()
load_router("sw_ranking").score(["hello"])
print(json.dumps({"added_mb": resident_mb() - before}))
"""


def _rest():
    """Let the threads of the other one's algebra fall asleep: they spin for a while after use."""
    time.sleep(0.05)


@pytest.fixture(scope="module")
def data():
    """Battles between models of known strength, on prompts that lie in clusters."""
    rng = np.random.default_rng(0)
    first = rng.integers(0, MODELS, BATTLES)
    second = (first + rng.integers(1, MODELS, BATTLES)) % MODELS
    win = sigmoid(np.linspace(3, -3, MODELS)[first] - np.linspace(3, -3, MODELS)[second])
    p_first = rng.choice([1.0, 0.5, 0.0], BATTLES)
    votes = rng.random(BATTLES) < 0.75
    p_first[votes] = rng.random(votes.sum()) < win[votes]
    names = [f"model {number}" for number in range(MODELS)]
    battles = Battles(names, first, second, p_first, np.ones(BATTLES))
    order = order_of(battles, 10)
    battles = Battles(names, first[order], second[order], p_first[order], np.ones(BATTLES))
    centres = rng.normal(size=(200, DIM))
    vectors = centres[rng.integers(0, 200, BATTLES)] + rng.normal(size=(BATTLES, DIM))
    queries = centres[rng.integers(0, 200, PROMPTS)] + rng.normal(size=(PROMPTS, DIM))
    return battles, shortened(vectors.astype(np.float32)), queries.astype(np.float32)


@pytest.fixture(scope="module")
def router(data):
    battles, vectors, _ = data
    return SWRankingRouter(
        battles, vectors, strong_model="model 0", weak_model=f"model {MODELS // 2}"
    )


@pytest.fixture(scope="module")
def original(data, router):
    """Return the win rate of a query as the released code finds it, same-tier battles dropped."""
    linear_model = pytest.importorskip("sklearn.linear_model", reason="needs scikit-learn")
    battles, vectors, _ = data
    tiers = np.array([router.tiers[model] for model in battles.models])
    first, second = tiers[battles.first], tiers[battles.second]
    kept = first != second
    first, second, p_first = first[kept], second[kept], battles.p_first[kept]
    rows = np.arange(len(first))
    once = np.zeros((len(first), tiers.max() + 1))
    once[rows, first], once[rows, second] = np.log(10), -np.log(10)
    design = np.concatenate([once, once])
    # A tie is a win for each, once.
    won = np.concatenate([p_first >= 0.5, p_first > 0.5]).astype(float)
    plain = vectors[kept].astype(np.float32)
    lengths = np.linalg.norm(plain, axis=1)
    strong, weak = tiers[0], tiers[MODELS // 2]

    def win_rate(query):
        cosines = plain @ query / (lengths * np.linalg.norm(query))
        weights = 10 * 10 ** (cosines / cosines.max())
        model = linear_model.LogisticRegression(fit_intercept=False, C=np.inf)
        model.fit(design, won, sample_weight=np.concatenate([weights, weights]))
        ratings = 400 * model.coef_[0]
        return 1 / (1 + 10 ** ((ratings[weak] - ratings[strong]) / 400))

    return win_rate


def test_ahead_of_the_original(benchmark, report, data, router, original):
    _, _, queries = data

    def ours(query):
        return router.score_embeddings(query[None])[0]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's, about its own solver
        for query in queries[:3]:
            assert ours(query) == pytest.approx(original(query), abs=1e-3)
        contestants = {"sw_ranking": ours, "original": original}
        times = benchmark.pedantic(race, (contestants, list(queries), 5, _rest), rounds=1)
    ratio = times["original"] / times["sw_ranking"]
    size = f"{BATTLES:,} battles x {DIM}"
    report(f"sw_ranking, {size}", f"{times['sw_ranking']:.2f} ms", "after encoding")
    report(f"original, {size}", f"{times['original']:.0f} ms", f"{ratio:.0f} times as long")
    assert ratio >= LEAST_RATIO


def test_batch(benchmark, report, data, router):
    _, _, queries = data
    batches = [
        np.stack(list(itertools.islice(itertools.cycle(queries[start:]), BATCH)))
        for start in range(10)
    ]
    contestants = {
        "batch": router.score_embeddings,
        "one": lambda batch: router.score_embeddings(batch[:1]),
    }
    times = benchmark.pedantic(race, (contestants, batches), rounds=1)
    each = times["batch"] / BATCH
    gain = times["one"] / each
    report(f"sw_ranking, batch of {BATCH}", f"{each:.2f} ms", f"per prompt; {gain:.1f} x as fast")
    assert gain >= LEAST_GAIN


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory(benchmark, report):
    cost = benchmark.pedantic(in_fresh_process, (MEMORY,), {"runs": 3}, rounds=1)
    report("sw_ranking, bundled", f"{cost['added_mb']:.1f} MB", "added to a process with mf")
    assert cost["added_mb"] <= 30
