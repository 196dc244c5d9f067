"""Workers share what they know of conversations by LiteLLM's Redis, which may be away."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from litellm import Router

from routellm_core import Decision, hookimpl
from routellm_core.policy import conversations, policy, prompt_caches
from routellm_plugins.demo.proxy_process import ProxyProcess
from routellm_plugins.litellm import install
from routellm_plugins.litellm.deciding import shared
from routellm_plugins.litellm.groups.router_access import RouterAccess
from tests.fakes import routers
from tests.fakes.openai_upstream import Upstream
from tests.fakes.redis_server import FakeRedis, RedisServer, redis_missing
from tests.fakes.routers import EASY, HARD
from tests.litellm.calls import post
from tests.litellm.configs import HANDLER, alias, group

pytestmark = [
    pytest.mark.filterwarnings("ignore:Item.*`ReadOnly` qualifier:UserWarning"),
    pytest.mark.filterwarnings("ignore:Router.discard is deprecated"),
]

PRICES = {"strong_price": [10, 20], "weak_price": [5, 10]}
STICKY = alias("sticky", router="length", threshold=0.6, sticky="conversation")
HELD = alias("held", router="length", threshold=0.6, hold="cache", **PRICES)
OTHER = alias("other", router="length", threshold=0.6, hold="cache", strong="gpt-5", **PRICES)
RULES = {"role": "system", "content": "rules " * 1_000}


def said(*texts: str) -> list[dict[str, Any]]:
    """Return a conversation in which a model answered between these texts of the human."""
    messages = [RULES]
    for text in texts:
        messages += [{"role": "user", "content": text}, {"role": "assistant", "content": "Yes."}]
    return messages[:-1]


class Workers:
    """Applications with a Router each, which know nothing of each other but for a Redis."""

    def __init__(self, model_list: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
        self.redis = FakeRedis()
        self._model_list = model_list
        self._monkeypatch = monkeypatch
        self._routers: list[Router] = []

    def begin(self) -> Router:
        """Return the Router of another worker, which asks from now on."""
        known, read = conversations.Conversations(), prompt_caches.PromptCaches()
        for module in (policy, shared):
            self._monkeypatch.setattr(module, "conversations", known)
            self._monkeypatch.setattr(module, "prompt_caches", read)
        router = Router(model_list=self._model_list, num_retries=0)
        self._monkeypatch.setattr(RouterAccess, "redis", lambda access: self.redis)
        install(router)
        self._routers.append(router)
        return router

    def end(self) -> None:
        for router in self._routers:
            router.discard()


@pytest.fixture
def workers(
    strong: Upstream,
    weak: Upstream,
    plugin: Callable[[object], object],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Workers]:
    plugin(routers)
    entries = [group("gpt-4o", strong), group("gpt-4o-mini", weak), group("gpt-5", strong)]
    made = Workers([*entries, STICKY, HELD, OTHER], monkeypatch)
    yield made
    made.end()


async def ask(router: Router, model: str, *texts: str, **session: str) -> tuple[str, str]:
    """Ask a Router; returns the tier and the cause."""
    metadata: dict[str, Any] = {}
    await router.acompletion(model, said(*texts), metadata=metadata, **session)
    made = metadata["spend_logs_metadata"]["routellm"]
    await asyncio.sleep(0)  # what is told is on its way
    await asyncio.sleep(0)
    return made["tier"], made["cause"]


async def test_a_conversation_stays_strong_in_another_worker(workers: Workers) -> None:
    for session in ({}, {"litellm_session_id": "one"}):
        assert await ask(workers.begin(), "sticky", "Hi", HARD, **session) == ("strong", "score")
        later = ("Hi", HARD, EASY)
        for router in (workers.begin(), workers.begin()):
            for _ in range(2):
                told = await ask(router, "sticky", *later, **session)
                assert told == ("strong", "conversation")
        assert await ask(router, "sticky", "Ho", EASY, **session) == (
            ("strong", "conversation") if session else ("weak", "score")
        )
    assert set(workers.redis.times.values()) == {3600.0}
    assert not any(word in str(workers.redis.kept) for word in ("Hi", "rules", "Prove"))


async def test_a_warm_cache_holds_in_another_worker(workers: Workers) -> None:
    assert await ask(workers.begin(), "held", HARD) == ("strong", "score")
    other = workers.begin()
    assert await ask(other, "held", HARD, EASY) == ("strong", "cache")
    assert await ask(other, "held", EASY, EASY) == ("weak", "score")
    assert set(workers.redis.times.values()) == {300.0}
    for key in workers.redis.kept:
        workers.redis.kept[key] -= 301  # that long ago
    assert await ask(workers.begin(), "held", HARD, EASY) == ("weak", "score")


async def test_what_one_strong_model_read_is_not_warm_for_another(workers: Workers) -> None:
    router = workers.begin()
    assert await ask(router, "held", HARD) == ("strong", "score")
    for each in (router, workers.begin()):  # in memory, and by Redis
        assert await ask(each, "other", HARD, EASY) == ("weak", "score")
        assert await ask(each, "held", HARD, EASY) == ("strong", "cache")


async def test_a_conversation_of_which_nothing_is_shared_does_not_ask(workers: Workers) -> None:
    router = workers.begin()
    await ask(router, "sticky", HARD)
    await ask(router, "sticky", HARD, EASY)
    assert workers.redis.asked == 0


@pytest.mark.parametrize("state", ["away", "hanging", "nonsense"])
async def test_redis_fails_no_request(
    workers: Workers,
    state: str,
    caplog: pytest.LogCaptureFixture,
    plugin: Callable[[object], object],
) -> None:
    seen: list[Decision] = []
    plugin(SimpleNamespace(routellm_decided=hookimpl(lambda decision: seen.append(decision))))
    if state == "nonsense":
        workers.redis.async_batch_get_cache = lambda keys: asyncio.sleep(0, "nonsense")
    workers.redis.state = state
    router = workers.begin()
    assert await ask(router, "sticky", "Hi", HARD) == ("strong", "score")
    assert await ask(router, "sticky", "Hi", HARD, EASY) == ("strong", "conversation")
    for _ in range(5):
        assert await ask(router, "sticky", "Ho", EASY) == ("weak", "score")
    assert workers.redis.asked <= 1
    assert caplog.text.count("Redis did not answer about conversations") <= 1
    assert not [decision for decision in seen if decision.cause.startswith("error")]


def test_a_call_that_is_not_asynchronous_goes_by_what_its_worker_knows(workers: Workers) -> None:
    workers.redis.state = "hanging"
    router = workers.begin()
    for texts, tier in ((("Hi", HARD), "strong"), (("Hi", HARD, EASY), "strong")):
        metadata: dict[str, Any] = {}
        router.completion("sticky", said(*texts), metadata=metadata)
        assert metadata["spend_logs_metadata"]["routellm"]["tier"] == tier


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    if missing := redis_missing():
        pytest.skip(missing)
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="module")
def two_proxies(
    redis: RedisServer,
    strong: Upstream,
    weak: Upstream,
    proxy_with: Callable[..., ProxyProcess],
) -> Iterator[tuple[ProxyProcess, ProxyProcess]]:
    cache = {"type": "redis", "host": "127.0.0.1", "port": redis.port, "supported_call_types": []}
    config = {
        "model_list": [group("gpt-4o", strong), group("gpt-4o-mini", weak), STICKY, HELD],
        "litellm_settings": {"callbacks": [HANDLER], "cache": True, "cache_params": cache},
    }
    with proxy_with(config) as one, proxy_with(config) as other:
        yield one, other


def cause(answer: httpx.Response) -> tuple[str, str]:
    assert answer.status_code == 200, answer.text
    return answer.headers["x-routellm-tier"], answer.headers["x-routellm-cause"]


def test_two_proxies_and_a_real_redis(
    two_proxies: tuple[ProxyProcess, ProxyProcess], redis: RedisServer
) -> None:
    one, other = two_proxies

    def asked(proxy: ProxyProcess, model: str, *texts: str, **headers: str) -> tuple[str, str]:
        body = {"model": model, "messages": said(*texts)}
        return cause(post(proxy, "v1/chat/completions", body, **headers))

    session = {"x-litellm-session-id": "shared"}
    assert asked(one, "sticky", HARD, **session) == ("strong", "score")
    assert asked(other, "sticky", EASY, **session) == ("strong", "conversation")
    assert asked(one, "sticky", "Hi", HARD) == ("strong", "score")
    assert asked(other, "sticky", "Hi", HARD, EASY) == ("strong", "conversation")
    assert asked(one, "held", "Ho", HARD) == ("strong", "score")
    assert asked(other, "held", "Ho", HARD, EASY) == ("strong", "cache")
    redis.send(signal.SIGSTOP)  # it hangs, and each worker goes by what it knows
    try:
        assert asked(one, "sticky", "A", HARD) == ("strong", "score")
        assert asked(one, "sticky", "A", HARD, EASY) == ("strong", "conversation")
        assert asked(other, "sticky", "A", HARD, EASY) == ("weak", "score")
    finally:
        redis.send(signal.SIGCONT)
