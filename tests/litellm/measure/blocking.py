"""Measure whether a slow scorer holds up a proxy: its requests per second and its health probe.

Run with ``make blocking``. Blocks of requests to an alias whose scorer takes 50 ms, and to one
whose scorer takes none, take turns in one proxy. Neither scorer is instant, so both have threads.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import random
import time
from collections.abc import Iterator

import httpx
import numpy as np
from rich.console import Console
from rich.table import Table

from tests.benchmarks.speed.prompts import make_prompts
from tests.fakes.openai_upstream import Upstream
from tests.litellm.configs import HANDLER, KEY, alias, group
from tests.litellm.measure.measured_proxy import MeasuredProxy

SLOW_MS = 50.0
KINDS = {"free": 0.0, "slow": SLOW_MS}
WORDS = 50
PROBE_EVERY_S = 0.05


def config(upstream: Upstream) -> dict[str, object]:
    return {
        "model_list": [
            group("gpt-4o", upstream),
            group("gpt-4o-mini", upstream),
            *(
                alias(
                    kind,
                    router="sleeping",
                    threshold=0.5,
                    timeout_ms=60_000,
                    router_options={"ms": ms},
                )
                for kind, ms in KINDS.items()
            ),
        ],
        "litellm_settings": {"callbacks": [HANDLER]},
    }


async def block(
    client: httpx.AsyncClient, kind: str, texts: list[str], concurrency: int
) -> tuple[float, list[float]]:
    """Return requests per second, and the milliseconds that each probe of health took."""
    waiting = iter(texts)
    probes: list[float] = []

    async def work() -> None:
        for text in waiting:
            body = {"model": kind, "messages": [{"role": "user", "content": text}]}
            answer = await client.post("/v1/chat/completions", json=body)
            answer.raise_for_status()
            assert answer.headers["x-routellm-cause"] == "score", answer.headers

    async def probe() -> None:
        while True:
            began = time.perf_counter()
            (await client.get("/health/liveliness")).raise_for_status()
            probes.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(PROBE_EVERY_S)

    probing = asyncio.ensure_future(probe())
    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(concurrency)))
    rate = len(texts) / (time.perf_counter() - began)
    probing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await probing
    return rate, probes


async def measure(
    blocks: int, size: int, concurrency: int
) -> tuple[dict[str, list[float]], dict[str, list[list[float]]]]:
    """Return, of each block by kind, requests per second and times of the probes."""
    rates: dict[str, list[float]] = {kind: [] for kind in KINDS}
    probes: dict[str, list[list[float]]] = {kind: [] for kind in KINDS}
    every: Iterator[str] = iter(
        make_prompts(WORDS, 2 * (blocks + 1) * size, lambda text: len(text.split()))
    )
    with Upstream("gpt-4o-mini") as upstream, MeasuredProxy(config(upstream)) as proxy:
        headers = {"Authorization": f"Bearer {KEY}"}
        # None is kept: the proxy closes idle ones, at times just when they are used again.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        async with httpx.AsyncClient(
            base_url=proxy.url, headers=headers, timeout=120, limits=limits
        ) as client:
            for number in range(blocks + 1):
                for kind in random.Random(number).sample(list(KINDS), len(KINDS)):
                    texts = list(itertools.islice(every, size))
                    rate, times = await block(client, kind, texts, concurrency)
                    if number:  # the first loads what is needed
                        rates[kind].append(rate)
                        probes[kind].append(times)
                    upstream.requests.clear()
    return rates, probes


def interval(values: list[float]) -> str:
    """Return a bootstrap 95 % interval of blocks drawn anew."""
    return "{:.2f} to {:.2f}".format(*np.percentile(values, [2.5, 97.5]))


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=20)
    parser.add_argument("--size", type=int, default=100)
    parser.add_argument("--concurrency", type=int, default=32)
    given = parser.parse_args()
    rates, probes = asyncio.run(measure(given.blocks, given.size, given.concurrency))
    rng = np.random.default_rng(0)
    drawn = [rng.integers(0, given.blocks, given.blocks) for _ in range(2_000)]

    def share(rows: list[int]) -> float:
        means = {kind: np.mean([rates[kind][row] for row in rows]) for kind in KINDS}
        return float(means["slow"] / means["free"])

    def p95(kind: str, rows: list[int]) -> float:
        return float(np.percentile([each for row in rows for each in probes[kind][row]], 95))

    rows = list(range(given.blocks))
    table = Table("", "free scorer", f"{SLOW_MS:g} ms scorer", "slow / free", "95 % interval")
    means = [f"{np.mean(rates[kind]):.1f}" for kind in KINDS]
    shares = [share(list(each)) for each in drawn]
    table.add_row("requests/s", *means, f"{share(rows):.2f}", interval(shares))
    health = {kind: p95(kind, rows) for kind in KINDS}
    ratios = [p95("slow", list(each)) / p95("free", list(each)) for each in drawn]
    table.add_row(
        "health probe, p95 ms",
        *(f"{health[kind]:.0f}" for kind in KINDS),
        f"{health['slow'] / health['free']:.2f}",
        interval(ratios),
    )
    Console(width=100).print(table)
    Console().print(
        f"{given.blocks} blocks of each, {given.size} requests, {given.concurrency} at a time"
    )


if __name__ == "__main__":
    main()
