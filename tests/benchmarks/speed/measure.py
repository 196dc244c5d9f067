"""Measure contestants in turn, so that a busy machine slows all of them alike."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

Milliseconds = float


def race(
    contestants: Mapping[str, Callable[[str], object]],
    prompts: Sequence[str],
    rounds: int = 5,
    between: Callable[[], object] = lambda: None,
) -> dict[str, Milliseconds]:
    """Return the p50 of each contestant over the prompts, in the quietest of some rounds.

    In each round every contestant gets the same share of the prompts, one contestant after the
    other. Whatever else runs on the machine can only add to a time, hence the quietest.

    Args:
        contestants: what to call, by name.
        prompts: shared out over the rounds, so that none is given twice.
        rounds: how often a p50 is taken.
        between: done before each call, outside its time.
    """
    medians: dict[str, list[Milliseconds]] = {name: [] for name in contestants}
    for start in range(rounds):
        for name, call in contestants.items():
            medians[name].append(p50(call, prompts[start::rounds], between))
    return {name: min(values) for name, values in medians.items()}


def p50(
    call: Callable[[str], object],
    prompts: Sequence[str],
    between: Callable[[], object] = lambda: None,
) -> Milliseconds:
    """Return the median time of a call, with something else done before each."""
    times = []
    for prompt in prompts:
        between()
        began = time.perf_counter()
        call(prompt)
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def in_fresh_process(code: str, runs: int = 1) -> dict[str, float]:
    """Run code that prints a JSON object of numbers; return the least of each over the runs."""
    results = []
    for _ in range(runs):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        results.append(json.loads(done.stdout))
    return {key: min(result[key] for result in results) for key in results[0]}
