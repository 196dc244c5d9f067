"""Text to decision: how long, how much ahead of LiteLLM's own router, at what cost to load.

Times are p50s in milliseconds on prompts not seen before, made of words that were. LiteLLM's
complexity router is measured on the same prompts, in the same process, in turn with ours.
"""

from __future__ import annotations

import itertools
import sys

import pytest

from routellm_core import RoutingPolicy
from routellm_core.checkpoints.store import BUNDLED
from routellm_core.encoders.static import TOKENIZER, read_vocabulary
from routellm_core.encoders.wordpiece import WordPiece

from .measure import in_fresh_process, p50, race
from .prompts import make_prompts

PROMPTS = {20: 500, 100: 500, 1000: 100}
"""How many are measured, by tokens."""

LEAST_RATIOS = {"litellm heuristic": 6.0, "litellm heuristic_v2": 2.0}
"""At 100 tokens: how many times as long as mf each takes at least. Half of what a quiet machine
shows, so that a busy one does not fail."""

IMPORT = """
import json, time
began = time.perf_counter()
import numpy
between = time.perf_counter()
import routellm_core
done = time.perf_counter()
print(json.dumps({"numpy_s": between - began, "core_s": done - between}))
"""

FRESH = """
import json, time
import routellm_core
began = time.perf_counter()
policy = routellm_core.RoutingPolicy("mf", threshold=0.5)
loaded = time.perf_counter()
policy.decide("Why is the sky blue? Explain it to a child in three short sentences.")
decided = time.perf_counter()
for number in range(2000):
    policy.decide(f"Question {number}: is naïve word{number % 700} better than {number * 7}?")
with open("/proc/self/status") as status:
    peak_kb = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
print(json.dumps({
    "load_s": loaded - began,
    "first_ms": (decided - loaded) * 1000,
    "peak_mb": peak_kb / 1024,
}))
"""


@pytest.fixture(scope="module")
def new_prompts():
    """Make prompts of so many tokens that no earlier test has used."""
    wordpiece = WordPiece(read_vocabulary((BUNDLED / "static" / TOKENIZER).read_bytes()))
    seeds = itertools.count()

    def make(tokens):
        length = lambda text: len(wordpiece.ids(text))  # noqa: E731
        return make_prompts(tokens, PROMPTS[tokens], length, next(seeds))

    return make


@pytest.fixture(scope="module")
def policy(new_prompts):
    policy = RoutingPolicy("mf", threshold=0.5)
    for prompt in new_prompts(100):
        assert policy.decide(prompt).cause == "score"
    return policy


@pytest.fixture(scope="module")
def litellm_routers():
    patch = pytest.MonkeyPatch()
    patch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    module = pytest.importorskip(
        "litellm.router_strategy.complexity_router.complexity_router",
        reason="needs litellm with its complexity router",
    )
    patch.undo()

    def router(**config):
        return module.ComplexityRouter("auto", None, config, derive_savings_baseline=False)

    first = router()
    second = router(classifier_type="heuristic_v2")
    return {
        "litellm heuristic": first.classify,
        # It has no public method that is not async.
        "litellm heuristic_v2": lambda text: second._classify_locally(text, None),
    }


@pytest.mark.parametrize("tokens", PROMPTS)
def test_time_to_decide(benchmark, report, policy, new_prompts, tokens):
    prompts = new_prompts(tokens)
    stream = itertools.cycle(new_prompts(tokens))
    benchmark.pedantic(policy.decide, setup=lambda: ((next(stream),), {}), rounds=PROMPTS[tokens])
    warm = race({"mf": policy.decide}, prompts)["mf"]
    report(f"mf, {tokens} tokens", f"{warm:.3f} ms", "one decision after the other")
    other_work = bytearray(16 << 20)
    busy = p50(policy.decide, new_prompts(tokens)[:100], between=lambda: other_work.count(1))
    report(f"mf, {tokens} tokens", f"{busy:.3f} ms", "after work that fills the CPU's caches")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("tokens", PROMPTS)
def test_ahead_of_litellm(benchmark, report, policy, litellm_routers, new_prompts, tokens):
    contestants = {"mf": policy.decide, **litellm_routers}
    times = benchmark.pedantic(race, (contestants, new_prompts(tokens)), rounds=1)
    for name, least in LEAST_RATIOS.items():
        ratio = times[name] / times["mf"]
        report(f"{name}, {tokens} tokens", f"{times[name]:.3f} ms", f"{ratio:.1f} times mf's")
        assert tokens != 100 or ratio >= least


def test_time_to_import(benchmark, report):
    cost = benchmark.pedantic(in_fresh_process, (IMPORT,), {"runs": 5}, rounds=1)
    report("import routellm_core", f"{cost['core_s']:.3f} s", f"numpy: {cost['numpy_s']:.3f} s")
    assert cost["core_s"] <= 0.15


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_cost_of_a_process(benchmark, report):
    cost = benchmark.pedantic(in_fresh_process, (FRESH,), {"runs": 3}, rounds=1)
    report("load mf", f"{cost['load_s']:.3f} s", "once per process")
    report("first decision", f"{cost['first_ms']:.3f} ms", "nothing remembered yet")
    report("memory", f"{cost['peak_mb']:.0f} MB", "peak, whole process")
    assert cost["peak_mb"] <= 80
