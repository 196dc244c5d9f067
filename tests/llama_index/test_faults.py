"""A router that fails costs no call."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core.llms import ChatMessage, MockLLM

from routellm_core import Router, hookimpl, register_plugin, unregister_plugin
from routellm_core.policy.policies import policy_of
from routellm_plugins.llama_index import RouteLLM
from tests.fakes import routers
from tests.fakes.scripted import routers_of
from tests.llama_index.calls import EVERY, run
from tests.llama_index.routed import EASY, HARD, Recording, Routed

# LlamaIndex's structured LLM uses it.
pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20")


@pytest.mark.parametrize(("name", "kind"), EVERY)
async def test_every_call_is_answered_when_scoring_fails(
    name: str, kind: str, pair: Routed, plugin: Any
):
    plugin(routers)
    assert await run(name, kind, pair.llm(router="failing"), EASY)
    assert pair.answered() == {"strong": 1, "weak": 0}
    assert await run(name, kind, pair.llm(router="failing", on_error="weak"), HARD)
    assert pair.answered() == {"strong": 0, "weak": 1}
    assert {decision.cause for decision in pair.decisions} == {"error:RuntimeError"}


async def test_a_router_that_hangs_holds_no_call_up(pair: Routed, stuck: str):
    llm = pair.llm(router=stuck, timeout_ms=20, on_error="weak")
    response = await llm.achat([ChatMessage(HARD)])
    assert response.additional_kwargs["routellm"]["cause"] == "error:ScoringTimeoutError"
    assert llm.complete(HARD).additional_kwargs["routellm"]["tier"] == "weak"


def test_a_router_that_is_gone_costs_no_call(pair: Routed, caplog: pytest.LogCaptureFixture):
    register_plugin(routers)
    llm = pair.llm(router="length", threshold=0.7)
    unregister_plugin(routers)
    with caplog.at_level(logging.ERROR):
        decision = llm.complete(EASY).additional_kwargs["routellm"]
    assert (decision["tier"], decision["cause"]) == ("strong", "error:ConfigError")
    assert decision["threshold"] == 0.7
    assert decision == pair.decisions[-1].as_metadata()
    assert "(ConfigError: no router named 'length'" in caplog.text
    assert "go to the strong model" in caplog.text


async def test_a_router_that_is_gone_does_not_fill_the_log(
    pair: Routed, caplog: pytest.LogCaptureFixture
):
    leaving = routers_of(leaving=lambda: Recording(pair.texts))
    register_plugin(leaving)
    llm = pair.llm(router="leaving", threshold=0.7)
    unregister_plugin(leaving)
    for _ in range(3):
        llm.complete(EASY)
        await llm.acomplete(EASY)
    assert len(caplog.records) == 1
    assert pair.answered() == {"strong": 6, "weak": 0}


async def test_a_router_that_is_loaded_anew_does_not_hold_up_the_event_loop(
    pair: Routed, plugin: Any
):
    turned = threading.Event()

    class Replaced:
        @hookimpl
        def routellm_register_routers(self, register: Callable[..., None]) -> None:
            register("replaced", self.load)

        def load(self) -> Router:
            assert turned.wait(30)
            return Recording(pair.texts)

    turned.set()
    first = Replaced()
    register_plugin(first)
    llm = pair.llm(router="replaced")
    unregister_plugin(first)
    plugin(Replaced())
    turned.clear()
    asyncio.get_running_loop().call_soon(turned.set)
    response = await llm.achat([ChatMessage(EASY)])
    assert response.additional_kwargs["routellm"]["cause"] == "score"


def test_what_cannot_be_read_fails_as_without_routing(
    pair: Routed, caplog: pytest.LogCaptureFixture
):
    messages = []
    for llm in (pair.bare("strong"), pair.llm(threshold=0.51)):
        for _ in range(2):
            with pytest.raises(ValueError, match="no message") as caught:
                llm.chat(["no message"])
        messages.append(str(caught.value))
    assert messages[1] == messages[0]
    assert [decision.cause for decision in pair.decisions] == ["error:AttributeError"] * 2
    assert policy_of(llm.settings).errors == {"AttributeError": 2}
    assert len(caplog.records) == 1


def test_lone_surrogates_and_long_texts_are_answered():
    llm = RouteLLM(MockLLM(max_tokens=1), MockLLM(max_tokens=2), threshold=0.5)
    for text in ("\ud800", "🙂", "", "x" * 10_000_000):
        assert llm.complete(text).text.startswith("text")
