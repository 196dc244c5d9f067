"""Measure what an alias adds to the requests of a proxy, beside the plain group in the same one.

Run with ``make overhead``. Blocks of requests to the group and to the alias take turns, one request
at a time, with prompts that are all different. Time by the clock counts whatever else the machine
does; time on the processor is that of the proxy alone.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import time

import httpx
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from routellm_plugins.demo.proxy_process import ProxyProcess
from tests.benchmarks.prompts import make_prompts
from tests.fakes.openai_upstream import Upstream
from tests.litellm.configs import HANDLER, KEY, alias, group
from tests.litellm.measured_proxy import MeasuredProxy

BLOCK = 10
"""Requests of one kind in a row; processor time is read around them."""
WORDS = 100
MODELS = {"group": "gpt-4o-mini", "alias": "gpt-4o-router"}


def config(upstream: Upstream) -> dict[str, object]:
    return {
        "model_list": [
            group("gpt-4o", upstream),
            group("gpt-4o-mini", upstream),
            alias("gpt-4o-router", strong_share=0.3),
        ],
        "litellm_settings": {"callbacks": [HANDLER]},
    }


def measure(requests: int) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return, by kind, milliseconds by the clock of each request and, per request, milliseconds
    on the processor of each block.
    """
    blocks = max(2, requests // (2 * BLOCK))
    count = 2 * BLOCK * (blocks + 2)
    prompts = iter(make_prompts(WORDS, count, lambda text: len(text.split())))
    clock: dict[str, list[float]] = {kind: [] for kind in MODELS}
    processor: dict[str, list[float]] = {kind: [] for kind in MODELS}
    with contextlib.ExitStack() as stack:
        upstream = stack.enter_context(Upstream("gpt-4o-mini"))
        proxy = stack.enter_context(MeasuredProxy(config(upstream)))
        client = stack.enter_context(_client(proxy))
        for block in range(blocks + 2):
            kinds = list(MODELS)
            random.Random(block).shuffle(kinds)
            for kind in kinds:
                began = proxy.processor_s()
                times = [_ask(client, MODELS[kind], next(prompts)) for _ in range(BLOCK)]
                time.sleep(0.05)  # what LiteLLM logs after an answer belongs to it
                if block >= 2:  # the first ones load what is needed
                    clock[kind].extend(times)
                    processor[kind].append((proxy.processor_s() - began) * 1000 / BLOCK)
            upstream.requests.clear()
    return {kind: (np.array(clock[kind]), np.array(processor[kind])) for kind in MODELS}


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


def _client(proxy: ProxyProcess) -> httpx.Client:
    headers = {"Authorization": f"Bearer {KEY}"}
    return httpx.Client(base_url=proxy.url, headers=headers, timeout=60)


def _ask(client: httpx.Client, model: str, text: str) -> float:
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    began = time.perf_counter()
    client.post("/v1/chat/completions", json=body).raise_for_status()
    return (time.perf_counter() - began) * 1000


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=2_000)
    requests = parser.parse_args().requests
    measured = measure(requests)
    table = Table("milliseconds", "group", "alias", "added", "95 % interval")
    rows = (("clock, p50", 0, 50), ("clock, p99", 0, 99), ("processor, p50 of blocks", 1, 50))
    for name, which, percent in rows:
        plain, routed = (measured[kind][which] for kind in MODELS)
        difference, low, high = added(plain, routed, percent)
        values = [f"{np.percentile(each, percent):.2f}" for each in (plain, routed)]
        table.add_row(name, *values, f"{difference:+.2f}", f"{low:+.2f} to {high:+.2f}")
    Console(width=100).print(table)
    Console().print(f"{requests} requests, one at a time, in blocks of {BLOCK}")


if __name__ == "__main__":
    main()
