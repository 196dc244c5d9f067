"""Measure what an alias adds to the requests of a proxy, beside the plain group in the same one.

Run with ``make overhead``. Blocks of requests to the group, to one whose name is no model's, to the
alias and to LiteLLM's own complexity router take turns, with prompts that are all different: first
one request at a time, for what is added to each, then several at once, for the throughput. Time by
the clock counts whatever else the machine does; time on the processor is that of the proxy alone,
and where the proxy keeps one core busy, its throughput is one divided by it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from routellm_plugins.demo.proxy_process import ProxyProcess
from tests.benchmarks.speed.prompts import make_prompts
from tests.fakes.openai_upstream import Upstream
from tests.litellm.configs import HANDLER, KEY, alias, group
from tests.litellm.measure.measured_proxy import MeasuredProxy

BLOCK = 10
"""Requests of one kind in a row, one at a time; processor time is read around them."""
CROWD = 64
"""Requests of one kind at once, of which ``CONCURRENCY`` are in flight."""
CONCURRENCY = 16
WARMING = 2
"""Blocks in which what is needed is loaded; they do not count."""
WORDS = 100
MODELS = {
    "group": "gpt-4o-mini",
    "group, named freely": "house-mini",
    "alias": "gpt-4o-router",
    "complexity router": "complexity",
}
"""LiteLLM looks for the provider of the name that is asked for, and takes longer where the name is
no model's; an alias has such a name, and a group may."""


def config(upstream: Upstream) -> dict[str, object]:
    tiers = {"SIMPLE": "gpt-4o-mini", "MEDIUM": "gpt-4o-mini"}
    complexity = {
        "model": "auto_router/complexity_router",
        "complexity_router_config": {
            "tiers": {**tiers, "COMPLEX": "gpt-4o", "REASONING": "gpt-4o"}
        },
        "complexity_router_default_model": "gpt-4o",
    }
    return {
        "model_list": [
            group("gpt-4o", upstream),
            group("gpt-4o-mini", upstream),
            group("house-mini", upstream),
            alias("gpt-4o-router", strong_share=0.3),
            {"model_name": "complexity", "litellm_params": complexity},
        ],
        "litellm_settings": {"callbacks": [HANDLER]},
    }


@dataclass
class Times:
    """Milliseconds of the requests of one kind."""

    clock: list[float] = field(default_factory=list)
    """Of each request that was alone."""
    processor: list[float] = field(default_factory=list)
    """Of the mean request of each block."""
    crowd: list[float] = field(default_factory=list)
    """By the clock, for each request of a crowd: its time divided by their number."""
    crowd_processor: list[float] = field(default_factory=list)


class Measurement:
    """Sends the requests.

    Args:
        requests: of each kind, one at a time.
        crowds: of each kind.
    """

    def __init__(self, requests: int, crowds: int) -> None:
        self.blocks = WARMING + max(1, requests // BLOCK)
        self.crowds = crowds
        self.times = {kind: Times() for kind in MODELS}
        count = len(MODELS) * (self.blocks * BLOCK + self.crowds * CROWD)
        self._prompts = iter(make_prompts(WORDS, count, lambda text: len(text.split())))

    def run(self) -> None:
        """Start a proxy and measure."""
        with contextlib.ExitStack() as stack:
            upstream = stack.enter_context(Upstream("gpt-4o-mini"))
            proxy = stack.enter_context(MeasuredProxy(config(upstream)))
            client = stack.enter_context(_client(proxy))
            pool = stack.enter_context(ThreadPoolExecutor(CONCURRENCY))
            for block in range(self.blocks):
                for kind in _shuffled(block):
                    times = self.times[kind]
                    began = proxy.processor_s()
                    taken = [_ask(client, MODELS[kind], next(self._prompts)) for _ in range(BLOCK)]
                    time.sleep(0.05)  # what LiteLLM logs after an answer belongs to it
                    if block >= WARMING:
                        times.clock.extend(taken)
                        times.processor.append((proxy.processor_s() - began) * 1000 / BLOCK)
                upstream.requests.clear()
            for crowd in range(self.crowds):
                for kind in _shuffled(crowd):
                    times = self.times[kind]
                    began, start = proxy.processor_s(), time.perf_counter()
                    prompts = [next(self._prompts) for _ in range(CROWD)]
                    list(pool.map(lambda text, m=MODELS[kind]: _ask(client, m, text), prompts))
                    times.crowd.append((time.perf_counter() - start) * 1000 / CROWD)
                    time.sleep(0.2)
                    times.crowd_processor.append((proxy.processor_s() - began) * 1000 / CROWD)
                upstream.requests.clear()


def added(
    plain: NDArray[np.float64], routed: NDArray[np.float64], percent: float, draws: int = 2_000
) -> tuple[float, float, float]:
    """Return the difference of two percentiles, and its bootstrap 95 % interval."""
    rng = np.random.default_rng(0)
    differences = [
        np.percentile(rng.choice(routed, len(routed)), percent)
        - np.percentile(rng.choice(plain, len(plain)), percent)
        for _ in range(draws)
    ]
    low, high = np.percentile(differences, [2.5, 97.5])
    difference = np.percentile(routed, percent) - np.percentile(plain, percent)
    return float(difference), float(low), float(high)


def kept(plain: NDArray[np.float64], routed: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the throughput as a share of the group's, and its bootstrap 95 % interval; crowds of
    the same turn are compared, as the machine changes from turn to turn.
    """
    ratios = plain / routed
    rng = np.random.default_rng(0)
    medians = [np.median(rng.choice(ratios, len(ratios))) for _ in range(2_000)]
    low, high = np.percentile(medians, [2.5, 97.5])
    return float(np.median(ratios)), float(low), float(high)


def _shuffled(seed: int) -> Iterator[str]:
    kinds = list(MODELS)
    random.Random(seed).shuffle(kinds)
    return iter(kinds)


def _client(proxy: ProxyProcess) -> httpx.Client:
    headers = {"Authorization": f"Bearer {KEY}"}
    return httpx.Client(base_url=proxy.url, headers=headers, timeout=120)


def _ask(client: httpx.Client, model: str, text: str) -> float:
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    began = time.perf_counter()
    client.post("/v1/chat/completions", json=body).raise_for_status()
    return (time.perf_counter() - began) * 1000


def _table(times: dict[str, Times]) -> Table:
    table = Table("milliseconds of a request", "kind", "value", "added to the group's", "95 %")
    rows: Sequence[tuple[str, str, float]] = (
        ("clock, p50", "clock", 50),
        ("clock, p99", "clock", 99),
        ("processor, p50 of blocks", "processor", 50),
        ("processor, p50 of crowds", "crowd_processor", 50),
    )
    for name, what, percent in rows:
        plain, *_ = (np.array(getattr(each, what)) for each in times.values())
        for kind, each in times.items():
            values = np.array(getattr(each, what))
            shown = [name, kind, f"{np.percentile(values, percent):.2f}"]
            if kind != "group":
                difference, low, high = added(plain, values, percent)
                shown += [f"{difference:+.2f}", f"{low:+.2f} to {high:+.2f}"]
            table.add_row(*shown)
    return table


def _throughput(times: dict[str, Times]) -> Table:
    table = Table("throughput", "requests/s", "share of the group's, by the clock", "by processor")
    plain = times["group"]
    for kind, each in times.items():
        shares = [
            kept(np.array(getattr(plain, what)), np.array(getattr(each, what)))
            for what in ("crowd", "crowd_processor")
        ]
        shown = [f"{share:.1%} ({low:.1%} to {high:.1%})" for share, low, high in shares]
        table.add_row(kind, f"{1000 / np.median(each.crowd):.1f}", *shown)
    return table


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000, help="of each kind, one at a time")
    parser.add_argument("--crowds", type=int, default=20, help=f"of each kind, {CROWD} requests")
    given = parser.parse_args()
    measurement = Measurement(given.requests, given.crowds)
    measurement.run()
    console = Console(width=110)
    console.print(_table(measurement.times))
    console.print(_throughput(measurement.times))
    load = os.getloadavg()[2]
    console.print(
        f"{given.requests} requests of each kind, one at a time, in blocks of {BLOCK}; then "
        f"{given.crowds} crowds of {CROWD}, {CONCURRENCY} at a time; {os.cpu_count()} cores of "
        f"{platform.machine()}, load {load:.1f}"
    )


if __name__ == "__main__":
    main()
