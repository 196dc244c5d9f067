"""Send many requests through proxies in which things fail, to plain groups and to their aliases.

Run with ``make faults``. Each request of an alias is sent beside one, with the same words, to the
group that the alias should choose. The proxy with one worker goes through its phases again and
again until its memory was read for ``--soak`` minutes. A line for each claim says whether it is
met; fails if one is not. It ends within ``--minutes``, give or take the start of a proxy, whatever
the proxy does.
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
from tests.litellm.faults.report import Size, print_table, verdicts
from tests.litellm.measure.measured_proxy import MeasuredProxy

UPSTREAMS = ("strong", "weak", "killed", "dead")
PROGRESS_S = 10.0
MOST_ROUNDS = 100
console = Console(width=120)


class Run:
    """All stages, within a time.

    Args:
        pairs: of requests in each phase of each round.
        concurrency: requests at a time.
        seconds: for everything.
        soak_s: for how long a proxy that goes through its phases several times does so at least,
            once it has gone through all of them.
    """

    def __init__(self, pairs: int, concurrency: int, seconds: float, soak_s: float) -> None:
        self.pairs = pairs
        self.concurrency = concurrency
        self.soak_s = soak_s
        self.outcomes: dict[tuple[str, str], Outcome] = {}
        self.sizes: list[Size] = []
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
                await self.round(site, stage)
                if stage.rounds > 1:
                    reading = asyncio.ensure_future(self.read_sizes(proxy))
                    until = time.monotonic() + self.soak_s
                    for number in range(1, MOST_ROUNDS):
                        if number >= stage.rounds and time.monotonic() >= until:
                            break
                        if number >= stage.rounds:
                            self._left += len(stage.phases)
                        await self.round(site, stage)
                    reading.cancel()

    async def round(self, site: Site, stage: Stage) -> None:
        """Go through a stage's phases once."""
        for phase in stage.phases:
            outcome = self.outcomes.setdefault((stage.name, phase.name), Outcome())
            await self.phase(site, phase, outcome)
            for upstream in site.upstreams.values():
                upstream.requests.clear()

    async def read_sizes(self, proxy: MeasuredProxy) -> None:
        """Read a proxy's use of memory until cancelled."""
        began = time.monotonic()
        while True:
            self.sizes.append(Size(time.monotonic() - began, proxy.resident_mib()))
            await asyncio.sleep(PROGRESS_S)

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


async def run(requests: int, concurrency: int, minutes: float, soak: float) -> bool:
    """Run all stages and print a table and verdicts; returns whether all claims are met."""
    of_phases = sum(len(stage.phases) * stage.rounds for stage in STAGES)
    pairs = max(1, requests // (2 * of_phases))
    whole = Run(pairs, concurrency, 60 * minutes, 60 * soak)
    for stage in STAGES:
        await whole.stage(stage)
    sent = sum(len(each) for one in whole.outcomes.values() for each in one.seconds.values())
    print_table(console, whole.outcomes, f"{sent:,} requests, {concurrency} at a time")
    found = verdicts(whole.outcomes, whole.sizes)
    for verdict in found:
        console.print(f"{'MET' if verdict.met else 'MISSED'}: {verdict.claim}", highlight=False)
    return all(verdict.met for verdict in found)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--minutes", type=float, default=90, help="most that all may take")
    parser.add_argument("--soak", type=float, default=30, help="minutes that memory is read for")
    given = parser.parse_args()
    met = asyncio.run(run(given.requests, given.concurrency, given.minutes, given.soak))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
