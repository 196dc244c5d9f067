"""What fails, and the proxies in which it does."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.openai_upstream import Upstream
from tests.fakes.redis_server import RedisServer, redis_missing
from tests.fakes.routers import EASY
from tests.litellm.configs import HANDLER, alias, group
from tests.litellm.faults.load import Load
from tests.litellm.measure.measured_proxy import MeasuredProxy

USUAL = {"router": "length", "threshold": 0.6}
# So many, because LiteLLM may pick the deployment that is dead again, time after time.
RETRIED = {"num_retries": 15, "allowed_fails": 0, "cooldown_time": 600, "retry_after": 0}
WORKERS = 4


@dataclass
class Site:
    """A running proxy, what it depends on, and the requests that are sent to it."""

    proxy: MeasuredProxy
    upstreams: Mapping[str, Upstream]
    redis: RedisServer | None
    load: Load

    async def disturb(self, how: str) -> None:
        """Let the proxy do what an operator would."""
        await self.load.post("gpt-4o-mini", EASY, metadata={"disturb": how})


@dataclass(frozen=True)
class Phase:
    """Something that fails, and the requests that are sent meanwhile."""

    name: str
    alias: str = "calm"
    strong: str = "gpt-4o"
    weak: str = "gpt-4o-mini"
    """The groups that the alias should choose for HARD and for EASY."""
    events: Mapping[float, Callable[[Site], Any]] = field(default_factory=dict)
    """What happens once this part of the requests was sent."""
    severs: bool = False
    """Whether it cuts connections to clients, whatever they asked for."""


@dataclass(frozen=True)
class Stage:
    """Phases that one proxy goes through."""

    name: str
    phases: tuple[Phase, ...]
    rounds: int
    """How often: in the first round, LiteLLM loads what it needs for each phase."""
    workers: int = 1
    with_redis: bool = False

    def skipped(self) -> str | None:
        """Why this cannot be run here, if so."""
        return redis_missing() if self.with_redis else None


def _stop(site: Site) -> None:
    site.upstreams["killed"].stop()


def _start(site: Site) -> None:
    site.upstreams["killed"].start()


async def _reload(site: Site) -> None:
    await site.disturb("reload")


async def _update(site: Site) -> None:
    await site.disturb("update_settings")


def _kill_a_worker(site: Site) -> None:
    os.kill(site.proxy.workers()[0], signal.SIGKILL)


def _redis_goes(site: Site) -> None:
    assert site.redis is not None
    site.redis.stop()


def _redis_comes(site: Site) -> None:
    assert site.redis is not None
    site.redis.start()


def _comes_and_goes(
    goes: Callable[[Site], None], comes: Callable[[Site], None]
) -> dict[float, Callable[[Site], None]]:
    return {0.1: goes, 0.4: comes, 0.6: goes, 0.9: comes}


EIGHTHS = [at / 8 for at in range(8)]
STAGES = (
    Stage(
        "one worker",
        (
            Phase("nothing"),
            Phase("scorer raises", "raising", weak="gpt-4o"),
            Phase("scorer hangs", "hanging", weak="gpt-4o"),
            Phase("scorer gives NaN", "no-number", weak="gpt-4o"),
            Phase(
                "upstream killed and restarted",
                "killed-router",
                strong="killed",
                events=_comes_and_goes(_stop, _start),
            ),
            Phase("one of two deployments dead", "pair-router", strong="pair"),
            Phase("update_settings", events=dict.fromkeys(EIGHTHS, _update)),
            Phase("config reloaded", events=dict.fromkeys(EIGHTHS, _reload)),
            Phase("nothing, again"),
        ),
        rounds=2,
    ),
    Stage(
        f"{WORKERS} workers",
        (
            Phase("nothing"),
            Phase("a worker killed", events=dict.fromkeys((0.2, 0.6), _kill_a_worker), severs=True),
        ),
        rounds=1,
        workers=WORKERS,
    ),
    Stage(
        "with Redis",
        (
            Phase("nothing"),
            Phase("Redis goes and comes", events=_comes_and_goes(_redis_goes, _redis_comes)),
            Phase(
                "the same, one of two deployments dead",
                "pair-router",
                strong="pair",
                events=_comes_and_goes(_redis_goes, _redis_comes),
            ),
        ),
        rounds=1,
        with_redis=True,
    ),
)


def config(upstreams: Mapping[str, Upstream], redis: RedisServer | None) -> dict[str, Any]:
    """Return LiteLLM's config for a stage."""
    at_redis = {} if redis is None else {"redis_host": "127.0.0.1", "redis_port": redis.port}
    return {
        "model_list": [
            group("gpt-4o", upstreams["strong"]),
            group("gpt-4o-mini", upstreams["weak"]),
            group("killed", upstreams["killed"]),
            group("pair", upstreams["strong"]),
            group("pair", upstreams["dead"]),
            alias("calm", **USUAL),
            alias("killed-router", strong="killed", **USUAL),
            alias("pair-router", strong="pair", **USUAL),
            alias("raising", router="failing", threshold=0.5),
            alias("hanging", router="hanging", threshold=0.5, timeout_ms=200),
            alias("no-number", router="no-number", threshold=0.5),
        ],
        "router_settings": {**RETRIED, **at_redis, "fallbacks": [{"killed": ["gpt-4o-mini"]}]},
        "litellm_settings": {"callbacks": [HANDLER, "tests.fakes.disturber.disturber"]},
    }
