"""Send many requests through a proxy in which things fail, to plain groups and to aliases of them.

Run with ``make faults``. Each request of an alias is sent beside one, with the same words, to the
group that the alias should choose. Fails if an alias loses a request more than its groups do, or if
the proxy's memory grows.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
from rich.console import Console
from rich.table import Table

from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY, HARD
from tests.litellm.configs import HANDLER, KEY, alias, group
from tests.litellm.measured_proxy import MeasuredProxy

ROUNDS = 2
"""How often all phases are gone through: in the first, LiteLLM loads what it needs for each."""
GROWTH = 1.10
"""Most that the proxy's memory may grow from the end of one round to that of the next."""


@dataclass(frozen=True)
class Phase:
    """Something that fails, and the requests that are sent meanwhile."""

    name: str
    alias: str = "calm"
    strong: str = "gpt-4o"
    weak: str = "gpt-4o-mini"
    """The groups that the alias should choose for HARD and for EASY."""
    events: Mapping[float, Callable[[Faults], Any]] = field(default_factory=dict)
    """What happens once this part of the requests was sent."""


@dataclass
class Faults:
    """A running proxy and its upstreams."""

    proxy: MeasuredProxy
    killed: Upstream
    client: httpx.AsyncClient

    async def disturb(self, how: str) -> None:
        await self.post("gpt-4o-mini", EASY, metadata={"disturb": how})

    async def post(self, model: str, text: str, **more: Any) -> tuple[bool, float]:
        """Return whether a request was answered, and the seconds that it took."""
        body = {"model": model, "messages": [{"role": "user", "content": text}], **more}
        start = time.perf_counter()
        try:
            answer = await self.client.post("/v1/chat/completions", json=body)
            answered = answer.status_code == 200 and bool(answer.json()["choices"])
        except (httpx.HTTPError, ValueError, KeyError):
            answered = False
        return answered, time.perf_counter() - start


def _stop(faults: Faults) -> None:
    faults.killed.stop()


def _start(faults: Faults) -> None:
    faults.killed.start()


def _reload(faults: Faults) -> Any:
    return faults.disturb("reload")


def _update(faults: Faults) -> Any:
    return faults.disturb("update_settings")


EIGHTHS = [at / 8 for at in range(8)]
PHASES = (
    Phase("nothing"),
    Phase("scorer raises", "raising", weak="gpt-4o"),
    Phase("scorer hangs", "hanging", weak="gpt-4o"),
    Phase("scorer gives NaN", "no-number", weak="gpt-4o"),
    Phase(
        "upstream killed and restarted",
        "killed-router",
        strong="killed",
        events={0.1: _stop, 0.4: _start, 0.6: _stop, 0.9: _start},
    ),
    Phase("one of two deployments dead", "pair-router", strong="pair"),
    Phase("update_settings", events=dict.fromkeys(EIGHTHS, _update)),
    Phase("config reloaded", events=dict.fromkeys(EIGHTHS, _reload)),
    Phase("nothing, again"),
)


def config(strong: Upstream, weak: Upstream, killed: Upstream, dead: Upstream) -> dict[str, Any]:
    usual = {"router": "length", "threshold": 0.6}
    return {
        "model_list": [
            group("gpt-4o", strong),
            group("gpt-4o-mini", weak),
            group("killed", killed),
            group("pair", strong),
            group("pair", dead),
            alias("calm", **usual),
            alias("killed-router", strong="killed", **usual),
            alias("pair-router", strong="pair", **usual),
            alias("raising", router="failing", threshold=0.5),
            alias("hanging", router="hanging", threshold=0.5, timeout_ms=200),
            alias("no-number", router="no-number", threshold=0.5),
        ],
        "router_settings": {
            # So many, because LiteLLM may pick the deployment that is dead again, time after time.
            "num_retries": 15,
            "allowed_fails": 0,
            "cooldown_time": 600,
            "retry_after": 0,
            "fallbacks": [{"killed": ["gpt-4o-mini"]}],
        },
        "litellm_settings": {"callbacks": [HANDLER, "tests.fakes.disturber.disturber"]},
    }


@dataclass
class Outcome:
    """What became of the requests of one phase."""

    lost: dict[str, int] = field(default_factory=lambda: {"plain": 0, "alias": 0})
    seconds: dict[str, list[float]] = field(default_factory=lambda: {"plain": [], "alias": []})


async def run_phase(
    faults: Faults, phase: Phase, pairs: int, concurrency: int, outcome: Outcome
) -> None:
    """Send pairs of requests, each beside the other, and let the phase's events happen."""
    waiting = iter(range(pairs))
    events = sorted(phase.events.items(), key=lambda event: event[0])

    async def one(kind: str, model: str, text: str) -> None:
        answered, seconds = await faults.post(model, text)
        outcome.lost[kind] += not answered
        outcome.seconds[kind].append(seconds)

    async def work() -> None:
        for number in waiting:
            while events and number >= events[0][0] * pairs:
                happened = events.pop(0)[1](faults)
                if happened is not None:
                    await happened
            hard = number % 2 == 0
            text = f"{HARD if hard else EASY} {number}"
            plain = ("plain", phase.strong if hard else phase.weak, text)
            routed = ("alias", phase.alias, text)
            for each in (plain, routed) if number % 4 < 2 else (routed, plain):
                await one(*each)

    await asyncio.gather(*(work() for _ in range(concurrency)))


async def run(requests: int, concurrency: int) -> bool:
    """Run all phases and print a table; returns whether all is well."""
    pairs = requests // (2 * len(PHASES) * ROUNDS)
    outcomes = {phase.name: Outcome() for phase in PHASES}
    memory: list[float] = []
    with contextlib.ExitStack() as stack:
        ups = {n: stack.enter_context(Upstream(n)) for n in ("strong", "weak", "killed", "dead")}
        ups["dead"].failing_with = 500
        proxy = stack.enter_context(MeasuredProxy(config(**ups)))
        headers = {"Authorization": f"Bearer {KEY}"}
        limits = httpx.Limits(max_connections=concurrency)
        async with httpx.AsyncClient(
            base_url=proxy.url, headers=headers, timeout=120, limits=limits
        ) as client:
            faults = Faults(proxy, ups["killed"], client)
            for _ in range(ROUNDS):
                for phase in PHASES:
                    await run_phase(faults, phase, pairs, concurrency, outcomes[phase.name])
                    for upstream in ups.values():
                        upstream.requests.clear()
                memory.append(proxy.resident_mib())
    _print(outcomes, f"{ROUNDS * len(PHASES) * pairs * 2} requests, {concurrency} at a time")
    Console().print(f"MiB at the end of each round: {', '.join(f'{each:.0f}' for each in memory)}")
    lost = [name for name, each in outcomes.items() if each.lost["alias"] > each.lost["plain"]]
    return not lost and memory[-1] <= GROWTH * memory[0]


def _print(outcomes: Mapping[str, Outcome], title: str) -> None:
    columns = ("lost: plain", "alias", "p50 ms: plain", "alias", "p95 ms: plain", "alias")
    table = Table("phase", *columns, title=title)
    for name, outcome in outcomes.items():
        table.add_row(name, *_figures(outcome))
    Console(width=120).print(table)


def _figures(outcome: Outcome) -> list[str]:
    figures = [str(outcome.lost[kind]) for kind in ("plain", "alias")]
    for percent in (50, 95):
        for kind in ("plain", "alias"):
            figures.append(f"{1000 * np.percentile(outcome.seconds[kind], percent):.0f}")
    return figures


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--concurrency", type=int, default=32)
    given = parser.parse_args()
    return 0 if asyncio.run(run(given.requests, given.concurrency)) else 1


if __name__ == "__main__":
    sys.exit(main())
