"""The callback of a proxy by itself: what it drops, and how it keeps the strategy installed."""

from __future__ import annotations

import asyncio
import copy
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from litellm import BadRequestError, Router

from routellm_core import Decision
from routellm_plugins.litellm.proxy import RouteLLMProxyHandler
from routellm_plugins.litellm.reporting import routed_request
from tests.fakes.routers import EASY, HARD
from tests.litellm.application.shared import WARNINGS, answered_by, user

pytestmark = WARNINGS


@pytest.fixture
def proxy_server(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    server = SimpleNamespace(llm_router=None)
    monkeypatch.setitem(sys.modules, "litellm.proxy.proxy_server", server)
    return server


@pytest.mark.parametrize("bucket", ["metadata", "litellm_metadata"])
async def test_the_handler_drops_what_a_client_wrote_in_place_of_a_decision(bucket: str) -> None:
    forged = {"routellm": {"tier": "strong"}, "routing_decision": {"router_type": "routellm"}}
    data = {"model": "gpt-4o", bucket: {**forged, "team": "blue"}}
    await RouteLLMProxyHandler().async_pre_call_hook(None, None, data, "acompletion")
    assert data[bucket] == {"team": "blue"}


async def test_a_copy_of_a_request_has_the_same_decision(
    proxy_server: SimpleNamespace, model_list: list[dict[str, Any]]
) -> None:
    proxy_server.llm_router = router = Router(model_list=model_list)
    data: dict[str, Any] = {"model": "gpt-4o-router", "messages": user(HARD), "metadata": {}}
    await RouteLLMProxyHandler().async_pre_call_hook(None, None, data, "acompletion")
    decided = routed_request.routed_request(data)
    assert decided is not None
    assert routed_request.routed_request(copy.deepcopy(data)) is decided
    router.discard()


async def test_the_handler_installs_the_strategy_again_when_it_is_reset(
    proxy_server: SimpleNamespace, model_list: list[dict[str, Any]]
) -> None:
    handler = RouteLLMProxyHandler()

    async def ask(prompt: str) -> str:
        data = {"model": "gpt-4o-router", "messages": user(prompt)}
        await handler.async_pre_call_hook(None, None, data, "acompletion")
        return answered_by(await router.acompletion(**data))

    await handler.async_pre_call_hook(None, None, {"model": "gpt-4o-router"}, "acompletion")
    for _ in range(2):
        router = Router(model_list=model_list)
        proxy_server.llm_router = router
        assert await ask(HARD) == "gpt-4o"
        router.update_settings(routing_strategy="latency-based-routing")
        assert await ask(HARD) == "gpt-4o"
        assert await ask(EASY) == "gpt-4o-mini"
        router.discard()


async def test_the_handler_installs_the_strategy_before_any_request(
    proxy_server: SimpleNamespace, model_list: list[dict[str, Any]]
) -> None:
    RouteLLMProxyHandler().install_at_start()
    await asyncio.sleep(0.05)
    router = proxy_server.llm_router = Router(model_list=model_list)
    await asyncio.sleep(0.3)
    assert answered_by(await router.acompletion("gpt-4o-router", user(HARD))) == "gpt-4o"
    router.discard()


async def test_a_litellm_that_is_not_known_serves_all_but_the_alias(
    proxy_server: SimpleNamespace,
    model_list: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    access = "routellm_plugins.litellm.groups.router_access"
    monkeypatch.setattr(f"{access}._ASYNC_SELECTORS", ())
    monkeypatch.setattr(f"{access}.RustCore.is_one", lambda core: False)
    proxy_server.llm_router = Router(model_list=model_list)
    handler = RouteLLMProxyHandler()
    for _ in range(2):
        await handler.async_pre_call_hook(None, None, {"model": "gpt-4o"}, "acompletion")
        with pytest.raises(BadRequestError, match="install another version of litellm"):
            await handler.async_pre_call_hook(None, None, {"model": "gpt-4o-router"}, "acompletion")
    assert caplog.text.count("install another version of litellm") == 1
    proxy_server.llm_router.discard()


def test_headers_hold_no_characters_that_http_forbids() -> None:
    decision = Decision("weak", 1 / 3, 0.5, "mf", "score", 0.25)
    headers = routed_request.RoutedRequest("alias", "gpt-4ö\r\nx: y", decision, 0).headers()
    assert headers["x-routellm-model"] == "gpt-4%C3%B6%0D%0Ax: y"
    assert headers["x-routellm-score"] == "0.333333"
    assert headers["x-routellm-duration-ms"] == "0.25"
