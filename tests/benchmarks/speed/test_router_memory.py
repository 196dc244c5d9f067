"""What each router adds to a process that has imported routellm_core: resident memory.

What a router maps from a file counts with the parts that were looked at.
"""

from __future__ import annotations

import sys

import pytest

from .measure import in_fresh_process

MOST_MB = {"mf": 60, "sw_ranking": 90, "bert": 120, "causal_llm": 900}
"""Torch and transformers are in the last two."""

CODE = """
import json
from routellm_core import load_router
def resident_mb():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024
load_router("random").score(["hello"])
before = resident_mb()
load_router({name!r}).score(["hello " * 100])
print(json.dumps({{"added_mb": resident_mb() - before}}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("name", MOST_MB)
def test_memory(benchmark, report, name):
    if name in ("bert", "causal_llm"):
        pytest.importorskip("transformers")
    cost = benchmark.pedantic(in_fresh_process, (CODE.format(name=name),), rounds=1)
    report(f"{name}, bundled", f"{cost['added_mb']:.0f} MB", "added to a process")
    assert cost["added_mb"] <= MOST_MB[name]
