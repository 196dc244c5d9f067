"""Send many requests through proxies in which things fail, to plain groups and to their aliases.

Run with ``make faults``. Each request of an alias is sent beside one, with the same words, to the
group that the alias should choose. Fails if an alias loses a request more than its groups do, if
the memory of the proxy with one worker grows, or if the time given is not enough. It ends within
that time, give or take the start of a proxy, whatever the proxy does.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import time
from collections.abc import Awaitable

import httpx
from rich.console import Console

from tests.fakes.openai_upstream import Upstream
from tests.fakes.redis_server import RedisServer
from tests.fakes.routers import EASY, HARD
from tests.litellm.configs import KEY
from tests.litellm.faults.load import Load, Outcome
from tests.litellm.faults.phases import STAGES, Phase, Site, Stage, config
from tests.litellm.faults.report import print_table, problems
from tests.litellm.measured_proxy import MeasuredProxy

UPSTREAMS = ("strong", "weak", "killed", "dead")
PROGRESS_S = 10.0
console = Console(width=120)


class Run:
    """All stages, within a time.

    Args:
        pairs: of requests in each phase of each round.
        concurrency: requests at a time.
        seconds: for everything.
    """

    def __init__(self, pairs: int, concurrency: int, seconds: float) -> None:
        self.pairs = pairs
        self.concurrency = concurrency
        self.outcomes: dict[tuple[str, str], Outcome] = {}
        self.memory: dict[str, list[float]] = {}
        self._deadline = time.monotonic() + seconds
        self._left = sum(len(stage.phases) * stage.rounds for stage in STAGES)

    async def stage(self, stage: Stage) -> None:
        """Start a proxy and go through a stage's phases."""
        if (reason := stage.skipped()) is not None:
            console.print(f"{stage.name}: skipped, {reason}")
            self._left -= len(stage.phases) * stage.rounds
            return
        console.print(f"{stage.name}: the proxy starts")
        with contextlib.ExitStack() as stack:
            ups = {name: stack.enter_context(Upstream(name)) for name in UPSTREAMS}
            ups["dead"].failing_with = 500
            redis = stack.enter_context(RedisServer()) if stage.with_redis else None
            proxy = stack.enter_context(MeasuredProxy(config(ups, redis), stage.workers))
            headers = {"Authorization": f"Bearer {KEY}"}
            limits = httpx.Limits(max_connections=self.concurrency + 1)
            async with httpx.AsyncClient(
                base_url=proxy.url, headers=headers, timeout=None, limits=limits
            ) as client:
                site = Site(proxy, ups, redis, Load(client))
                for _ in range(stage.rounds):
                    for phase in stage.phases:
                        outcome = self.outcomes.setdefault((stage.name, phase.name), Outcome())
                        await self.phase(site, phase, outcome)
                        for upstream in ups.values():
                            upstream.requests.clear()
                    if stage.rounds > 1:
                        self.memory.setdefault(stage.name, []).append(proxy.resident_mib())

    async def phase(self, site: Site, phase: Phase, outcome: Outcome) -> None:
        """Send pairs of requests, each beside the other, and let the phase's events happen."""
        # Twice its share of the time, so that one that stalls leaves time for the others.
        until = time.monotonic() + 2 * (self._deadline - time.monotonic()) / self._left
        self._left -= 1
        waiting = iter(range(self.pairs))
        events = sorted(phase.events.items(), key=lambda event: event[0])
        happening: list[asyncio.Future[None]] = []
        sent = 0

        async def work() -> None:
            nonlocal sent
            for number in waiting:
                while events and number >= events[0][0] * self.pairs:
                    happened = events.pop(0)[1](site)
                    if isinstance(happened, Awaitable):
                        happening.append(asyncio.ensure_future(happened))
                if time.monotonic() > until:
                    outcome.unsent += 1
                    continue
                hard = number % 2 == 0
                text = f"{HARD if hard else EASY} {number}"
                plain = ("plain", phase.strong if hard else phase.weak)
                routed = ("alias", phase.alias)
                for kind, model in (plain, routed) if number % 4 < 2 else (routed, plain):
                    outcome.note(kind, *await site.load.post(model, text))
                sent += 1

        async def tell() -> None:
            while True:
                await asyncio.sleep(PROGRESS_S)
                lost = ", ".join(f"{kind} {dict(each)}" for kind, each in outcome.lost.items())
                waited = site.load.oldest_s()
                console.print(
                    f"  {phase.name}: {sent} of {self.pairs} pairs; lost: {lost}; oldest in "
                    f"flight {waited:.1f} s",
                    markup=False,
                    highlight=False,
                )

        began = time.perf_counter()
        telling = asyncio.ensure_future(tell())
        await asyncio.gather(*(work() for _ in range(self.concurrency)))
        await asyncio.gather(*happening)
        telling.cancel()
        took = time.perf_counter() - began
        console.print(f"  {phase.name}: {sent} pairs, {2 * sent / took:.0f} requests/s")


async def run(requests: int, concurrency: int, minutes: float) -> list[str]:
    """Run all stages and print a table; returns what is wrong."""
    of_phases = sum(len(stage.phases) * stage.rounds for stage in STAGES)
    whole = Run(max(1, requests // (2 * of_phases)), concurrency, 60 * minutes)
    for stage in STAGES:
        await whole.stage(stage)
    sent = sum(len(each) for one in whole.outcomes.values() for each in one.seconds.values())
    print_table(console, whole.outcomes, f"{sent:,} requests, {concurrency} at a time")
    return problems(console, whole.outcomes, whole.memory)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--minutes", type=float, default=60)
    given = parser.parse_args()
    wrong = asyncio.run(run(given.requests, given.concurrency, given.minutes))
    for line in wrong:
        console.print(f"WRONG: {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
