"""Shadow mode under load: users' latency with it beside without it, while the other model is
well, slow, failing or hanging.

One real proxy on loopback has an alias with `shadow` and two without. They get the same requests in
blocks that take turns in random order, so that what else the machine does falls on all alike, and
two processes that do the same need not be told apart. By how much the two without it differ is
noise. After each block it is waited until what it left to the background is done.

    python -m tests.benchmarks.speed.shadow_load [--requests 1500] [--sample 0.05]
        [--concurrency 4] [--per-minute 600]

takes about 12 minutes on 2 quiet cores, and ends within an hour on any. So many calls a minute that
none of a sample of 5 % waits; `shadow` makes at most 60, unless told otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import typer
import yaml
from numpy.typing import NDArray

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

from routellm_core.traffic.store.store import Store
from routellm_plugins.demo.proxy_process import ProxyProcess
from tests.fakes.openai_upstream import Upstream
from tests.litellm.configs import HANDLER, KEY, alias, group

BLOCK = 100
BUDGET_USD = 0.02
TIMEOUT_S = 3.0
CONCURRENCY = 4
CASES = ("well", "slow", "failing", "hanging")
LEFT_S = {"slow": 3.0, "hanging": 3 * TIMEOUT_S}
"""How long a block's calls of the other model may still take."""
WRITTEN_S = 1.5
"""How long its records wait to be written."""
NAMES = ("on", "off", "off again")
PROMPT = "Who painted number {}?"  # short, so the weak model answers
MOST_S = 3600.0


def calls_left_s(given: argparse.Namespace) -> float:
    """Return how long the sampled requests of a block may wait for their calls, in seconds."""
    expected = BLOCK * given.sample
    return float(60 / given.per_minute * (expected + 2 * expected**0.5))


def set_case(strong: Upstream, case: str) -> None:
    strong.failing_with = 500 if case == "failing" else None
    strong.delay_s = {"slow": 1.0, "hanging": 5 * TIMEOUT_S}.get(case, 0.0)


async def block(proxy: ProxyProcess, first: int, concurrency: int, model: str) -> list[float]:
    """Send a block of requests; returns the seconds that each took."""
    limits = asyncio.Semaphore(concurrency)
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(headers=headers, timeout=60) as client:

        async def one(number: int) -> float:
            said = [{"role": "user", "content": PROMPT.format(number)}]
            async with limits:
                start = time.perf_counter()
                url = f"{proxy.url}/v1/chat/completions"
                response = await client.post(url, json={"model": model, "messages": said})
                took = time.perf_counter() - start
            assert response.status_code == 200, response.text
            return took

        return list(await asyncio.gather(*(one(first + n) for n in range(BLOCK))))


def resident_mb(proxy: ProxyProcess) -> float:
    assert proxy._process is not None
    status = Path(f"/proc/{proxy._process.pid}/status").read_text()
    return float(status.split("VmRSS:")[1].split()[0]) / 1024


def cpu_s(proxy: ProxyProcess) -> float:
    """Return the processor time that a proxy has used, in seconds."""
    assert proxy._process is not None
    fields = Path(f"/proc/{proxy._process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def quantiles_apart(
    one: NDArray[np.float64], other: NDArray[np.float64], q: float
) -> tuple[float, float, float]:
    """Return by what share a quantile is above another's, with a 95 % interval from resampled pairs
    of blocks (shape (blocks, BLOCK)).
    """
    drawn = [np.quantile(one[at], q) / np.quantile(other[at], q) for at in _draws(len(one))]
    low, high = np.quantile(drawn, [0.025, 0.975]) - 1
    return float(np.quantile(one, q) / np.quantile(other, q) - 1), float(low), float(high)


def means_apart(one: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the mean of paired differences, shape (blocks,), with its 95 % interval."""
    apart = one - other
    low, high = np.quantile([apart[at].mean() for at in _draws(len(apart))], [0.025, 0.975])
    return float(apart.mean()), float(low), float(high)


def _draws(n: int) -> Iterator[NDArray[np.int64]]:
    rng = np.random.default_rng(0)
    return (rng.integers(n, size=n) for _ in range(2000))


def compared(case: str, times: dict[str, list[list[float]]], cpu: dict[str, list[float]]) -> str:
    """Say how each proxy's latency and processor time differ from those of `off`."""
    took = {name: np.array(blocks) for name, blocks in times.items()}
    used = {name: np.array(blocks) for name, blocks in cpu.items()}
    lines = []
    for q in (0.5, 0.95):
        line = f"{case}: p{q * 100:.0f} off {np.quantile(took['off'], q) * 1e3:.0f} ms"
        for name in ("on", "off again"):
            apart, low, high = quantiles_apart(took[name], took["off"], q)
            line += f"; {name} {apart:+.1%} [{low:+.1%}, {high:+.1%}]"
        lines.append(line)
    line = f"{case}: processor off {used['off'].mean():.2f} ms a request"
    for name in ("on", "off again"):
        apart, low, high = means_apart(used[name], used["off"])
        line += f"; {name} {apart:+.2f} [{low:+.2f}, {high:+.2f}]"
    return "\n".join((*lines, line))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=1500, help="for each alias and case")
    parser.add_argument("--sample", type=float, default=0.05)
    parser.add_argument("--concurrency", type=int, default=4)
    parser.add_argument("--per-minute", type=float, default=600, help="calls of the other model")
    parser.add_argument("--cases", default=",".join(CASES))
    given = parser.parse_args()
    began = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shadow-load-")))
        strong = stack.enter_context(Upstream("gpt-4o"))
        weak = stack.enter_context(Upstream("gpt-4o-mini"))
        store = folder / "traffic.db"
        shadow = {
            "sample": given.sample,
            "budget_usd": 10,
            "store": str(store),
            "timeout_s": TIMEOUT_S,
            "concurrency": CONCURRENCY,
            "waiting": 20,
            "per_minute": given.per_minute,
        }
        proxy = stack.enter_context(started(folder, strong, weak, shadow))
        sent = 0
        for _ in range(2):
            for name in NAMES:
                asyncio.run(block(proxy, sent, given.concurrency, name))  # loads what first loads
            sent += BLOCK
        first_mb = resident_mb(proxy)
        for case in given.cases.split(","):
            set_case(strong, case)
            times: dict[str, list[list[float]]] = {name: [] for name in NAMES}
            cpu: dict[str, list[float]] = {name: [] for name in NAMES}
            for _ in range(max(2, given.requests // BLOCK)):
                if time.monotonic() - began > MOST_S:
                    raise SystemExit(f"stopped after {MOST_S:.0f} s, in the case '{case}'")
                for name in random.sample(NAMES, len(NAMES)):
                    before = cpu_s(proxy)
                    times[name].append(asyncio.run(block(proxy, sent, given.concurrency, name)))
                    time.sleep(WRITTEN_S)
                    if name == "on":
                        time.sleep(LEFT_S.get(case, 0.0) + calls_left_s(given))
                    cpu[name].append((cpu_s(proxy) - before) / BLOCK * 1e3)
                sent += BLOCK
            typer.echo(compared(case, times, cpu))
        set_case(strong, "well")
        typer.echo(told(store, "on", sent))
        asyncio.run(block(proxy, 0, given.concurrency, "scarce"))
        typer.echo(told(store, "scarce", BLOCK))
        typer.echo(f"memory: {first_mb:.0f} MB, then {resident_mb(proxy):.0f} MB")
    typer.echo(f"took {time.monotonic() - began:.0f} s")


def started(folder: Path, strong: Upstream, weak: Upstream, shadow: dict[str, Any]) -> ProxyProcess:
    scarce = {**shadow, "sample": 1.0, "budget_usd": BUDGET_USD, "waiting": BLOCK}
    settings: dict[str, dict[str, Any]] = {name: {} for name in NAMES}
    settings["on"], settings["scarce"] = {"shadow": shadow}, {"shadow": scarce}
    config = {
        "model_list": [
            group("gpt-4o", strong),
            group("gpt-4o-mini", weak),
            *(alias(name, router="mf", threshold=1.0, **each) for name, each in settings.items()),
        ],
        "litellm_settings": {"callbacks": [HANDLER]},
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return ProxyProcess(path, {"LITELLM_MASTER_KEY": KEY, "PYTHONPATH": os.getcwd()})


def told(store: Path, route: str, sent: int) -> str:
    """Wait until everything of a route is written; returns what became of it."""
    opened, deadline = Store(str(store), make=False), time.monotonic() + 60
    while time.monotonic() < deadline:
        kept = {row["request_id"]: row for row in opened.requests() if row["route"] == route}
        sampled = sum(row["sampled"] for row in kept.values())
        answers = (row for row in opened.answers() if row["request_id"] in kept)
        ended = [row for row in answers if row["shadow"]]
        if len(kept) == sent and len(ended) == sampled:
            break
        time.sleep(0.5)
    found = next(row for row in opened.routes() if row["route"] == route)
    outcomes: dict[str, int] = {}
    for row in ended:
        outcomes[row["error"] or "answered"] = outcomes.get(row["error"] or "answered", 0) + 1
    dearest = max((row["cost_usd"] or 0.0 for row in ended), default=0.0)
    budget = BUDGET_USD if route == "scarce" else 10
    return (
        f"{route}: {sent} sent, {len(kept)} kept, {found['lost']} lost; {sampled} sampled, "
        f"{outcomes}; ${budget:g} to spend, spent ${found['spent_usd']:.6f}, the calls in flight "
        f"may cost ${CONCURRENCY * dearest:.6f}"
    )


if __name__ == "__main__":
    main()
