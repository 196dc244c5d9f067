"""A router that raises or hangs costs a request neither its answer nor much time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI

from routellm_plugins.demo.proxy_process import ProxyProcess
from tests.fakes.openai_upstream import Upstream
from tests.litellm.configs import HANDLER, KEY, alias, group


@pytest.fixture(scope="module")
def proxy(
    strong: Upstream, weak: Upstream, proxy_with: Callable[..., ProxyProcess]
) -> Iterator[ProxyProcess]:
    config = {
        "model_list": [
            group("gpt-4o", strong),
            group("gpt-4o-mini", weak),
            alias("failing", router="failing", threshold=0.5),
            alias("failing-weak", router="failing", threshold=0.4, on_error="weak"),
            alias("hanging", router="hanging", threshold=0.5, timeout_ms=2_000),
        ],
        "litellm_settings": {"callbacks": [HANDLER]},
    }
    with proxy_with(config) as process:
        yield process


async def ask(client: AsyncOpenAI, model: str) -> tuple[str, str]:
    raw = await client.chat.completions.with_raw_response.create(
        model=model, messages=[{"role": "user", "content": "anything"}]
    )
    return raw.headers["x-routellm-model"], raw.headers["x-routellm-cause"]


@pytest.mark.parametrize(
    ("model", "answers"), [("failing", "gpt-4o"), ("failing-weak", "gpt-4o-mini")]
)
async def test_a_router_that_raises(
    async_client: Any, proxy: ProxyProcess, model: str, answers: str
) -> None:
    before = proxy.log.count("no scores today):")
    assert {await ask(async_client, model) for _ in range(5)} == {(answers, "error:RuntimeError")}
    assert proxy.log.count("no scores today):") == before + 1


async def test_a_router_that_hangs(async_client: Any, proxy: ProxyProcess) -> None:
    start = time.perf_counter()
    asking = asyncio.gather(*(ask(async_client, "hanging") for _ in range(12)))
    await asyncio.sleep(0.2)
    async with httpx.AsyncClient() as probe:
        alive = await probe.get(f"{proxy.url}/health/liveliness", timeout=5)
    assert alive.status_code == 200
    assert not asking.done(), "the event loop was held up"
    assert set(await asking) == {("gpt-4o", "error:ScoringTimeoutError")}
    assert time.perf_counter() - start < 20
    assert proxy.log.count("router 'hanging' failed") == 1


def test_threads_that_hang_do_not_keep_the_proxy_from_ending(proxy: ProxyProcess) -> None:
    start = time.perf_counter()
    proxy.stop()
    assert time.perf_counter() - start < 9
    assert KEY not in proxy.log
