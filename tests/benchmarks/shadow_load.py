"""Shadow mode under load: users' latency with it beside without it, while the other model is
well, slow, failing or hanging.

Two real proxies on loopback, one with `shadow` and one without, get the same requests in blocks
that take turns in random order, so that what else the machine does falls on both alike.

    python -m tests.benchmarks.shadow_load [--requests 400] [--sample 0.05] [--concurrency 4]
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

BLOCK = 40
BUDGET_USD = 0.012
TIMEOUT_S = 3.0
CONCURRENCY = 4
CASES = ("well", "slow", "failing", "hanging")
PROMPT = "Who painted number {}?"  # short, so the weak model answers


def set_case(strong: Upstream, case: str) -> None:
    strong.failing_with = 500 if case == "failing" else None
    strong.delay_s = {"slow": 1.0, "hanging": 5 * TIMEOUT_S}.get(case, 0.0)


async def block(proxy: ProxyProcess, first: int, concurrency: int) -> list[float]:
    """Send a block of requests; returns the seconds that each took."""
    limits = asyncio.Semaphore(concurrency)
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(headers=headers, timeout=60) as client:

        async def one(number: int) -> float:
            said = [{"role": "user", "content": PROMPT.format(number)}]
            async with limits:
                start = time.perf_counter()
                url = f"{proxy.url}/v1/chat/completions"
                response = await client.post(url, json={"model": "routed", "messages": said})
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


def ratios(on: NDArray[np.float64], off: NDArray[np.float64], q: float) -> Iterator[float]:
    """Yield the ratio of a quantile over resampled pairs of blocks (shape (blocks, BLOCK))."""
    rng = np.random.default_rng(0)
    for _ in range(2000):
        at = rng.integers(len(on), size=len(on))
        yield float(np.quantile(on[at], q) / np.quantile(off[at], q))


def compared(name: str, on: list[list[float]], off: list[list[float]], q: float) -> str:
    with_it, without = np.array(on), np.array(off)
    ratio = np.quantile(with_it, q) / np.quantile(without, q) - 1
    low, high = np.quantile([*ratios(with_it, without, q)], [0.025, 0.975]) - 1
    ends = f"[{low:+.1%}, {high:+.1%}]"
    return (
        f"{name} {np.quantile(with_it, q) * 1e3:.0f} ms with, "
        f"{np.quantile(without, q) * 1e3:.0f} ms without ({ratio:+.1%} {ends})"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=400, help="for each proxy and case")
    parser.add_argument("--sample", type=float, default=0.05)
    parser.add_argument("--concurrency", type=int, default=4)
    parser.add_argument("--cases", default=",".join(CASES))
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shadow-load-")))
        strong = stack.enter_context(Upstream("gpt-4o"))
        weak = stack.enter_context(Upstream("gpt-4o-mini"))
        store = folder / "traffic.db"
        shadow = {
            "sample": given.sample,
            "budget_usd": BUDGET_USD,
            "store": str(store),
            "timeout_s": TIMEOUT_S,
            "concurrency": CONCURRENCY,
            "waiting": 20,
            "per_minute": 6000,
        }
        proxies = {
            name: stack.enter_context(started(folder, name, strong, weak, settings))
            for name, settings in (("on", {"shadow": shadow}), ("off", {}))
        }
        sent = 0
        for proxy in proxies.values():
            for _ in range(2):
                asyncio.run(block(proxy, 0, given.concurrency))  # loads what the first load
        sent += 2 * BLOCK
        first_mb = {name: resident_mb(proxy) for name, proxy in proxies.items()}
        for case in given.cases.split(","):
            set_case(strong, case)
            times: dict[str, list[list[float]]] = {"on": [], "off": []}
            before = {name: cpu_s(proxy) for name, proxy in proxies.items()}
            for _ in range(max(1, given.requests // BLOCK)):
                for name in random.sample(["on", "off"], 2):
                    times[name].append(asyncio.run(block(proxies[name], sent, given.concurrency)))
                sent += BLOCK
            typer.echo(f"{case}: {compared('p50', times['on'], times['off'], 0.5)}")
            typer.echo(f"{case}: {compared('p95', times['on'], times['off'], 0.95)}")
            used = {name: cpu_s(proxy) - before[name] for name, proxy in proxies.items()}
            each = {name: used[name] / BLOCK / len(times[name]) * 1e3 for name in used}
            typer.echo(
                f"{case}: processor {each['on']:.1f} ms a request, {each['off']:.1f} without"
            )
        set_case(strong, "well")
        typer.echo(told(store, sent, given.sample))
        for name, proxy in proxies.items():
            typer.echo(f"memory, {name}: {first_mb[name]:.0f} MB, then {resident_mb(proxy):.0f} MB")


def started(
    folder: Path, name: str, strong: Upstream, weak: Upstream, settings: dict[str, Any]
) -> ProxyProcess:
    config = {
        "model_list": [
            group("gpt-4o", strong),
            group("gpt-4o-mini", weak),
            alias("routed", router="mf", threshold=1.0, **settings),
        ],
        "litellm_settings": {"callbacks": [HANDLER]},
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(config))
    return ProxyProcess(path, {"LITELLM_MASTER_KEY": KEY, "PYTHONPATH": os.getcwd()})


def told(store: Path, sent: int, sample: float) -> str:
    """Wait until everything is written; returns what became of it."""
    opened, deadline = Store(str(store), make=False), time.monotonic() + 60
    while time.monotonic() < deadline:
        kept, sampled = list(opened.requests()), 0
        sampled = sum(row["sampled"] for row in kept)
        ended = [row for row in opened.answers() if row["shadow"]]
        if len(kept) == sent and len(ended) == sampled:
            break
        time.sleep(0.5)
    (route,) = opened.routes()
    outcomes: dict[str, int] = {}
    for row in ended:
        outcomes[row["error"] or "answered"] = outcomes.get(row["error"] or "answered", 0) + 1
    dearest = max((row["cost_usd"] or 0.0 for row in ended), default=0.0)
    return (
        f"requests: {sent} sent, {len(kept)} kept, {route['lost']} lost\n"
        f"sampled: {sampled} ({sampled / sent:.1%} of them, {sample:.0%} meant); {outcomes}\n"
        f"budget: ${BUDGET_USD:g}, spent ${route['spent_usd']:.6f}; the calls in flight may cost "
        f"${CONCURRENCY * dearest:.6f}"
    )


if __name__ == "__main__":
    main()
