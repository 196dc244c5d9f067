"""Agents whose history is summarised or trimmed in the middle of a loop keep their model."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("langchain")

from langchain.agents import create_agent
from langchain.agents.middleware import SummarizationMiddleware, wrap_model_call
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from routellm_plugins.langchain import ChatRouteLLM, RouteLLMMiddleware
from tests.fakes.routers import EASY, HARD
from tests.langchain.agents import LENGTH, asked, lookup

pytestmark = pytest.mark.usefixtures("fresh")

STEPS = 6


class Looping(BaseChatModel):
    """Calls a tool in each of the first steps of a run, of which it is told, and then answers."""

    name: str = ""
    steps: Any  # a list, of which pydantic would make a copy
    """Who was asked, by all models of a run."""

    def _generate(self, messages: Any, *args: Any, **kwargs: Any) -> ChatResult:
        self.steps.append(self.name)
        at = len(self.steps)
        call = {"name": "lookup", "args": {"city": "Lima"}, "id": str(at)}
        answer = AIMessage("Done.", tool_calls=[call] if at < STEPS else [])
        return ChatResult(generations=[ChatGeneration(message=answer)])

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self

    @property
    def _llm_type(self) -> str:
        return "looping"


class Summarising(Looping):
    """Writes summaries, which are no steps."""

    def _generate(self, messages: Any, *args: Any, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(HARD * 2))])


@wrap_model_call
def trimmed(request: Any, handler: Callable[[Any], Any]) -> Any:
    """Send the last two messages of a longer conversation."""
    return handler(request.override(messages=request.messages[-2:]))


SHORTENED: dict[str, Any] = {"trimmed": trimmed}
if "trigger" in inspect.signature(SummarizationMiddleware).parameters:  # not in older releases
    SHORTENED["summarised"] = SummarizationMiddleware(
        Summarising(steps=[]), trigger=("messages", 4), keep=("messages", 2)
    )


@pytest.mark.parametrize("by", ["ChatRouteLLM", "RouteLLMMiddleware"])
@pytest.mark.parametrize("shortened", SHORTENED)
@pytest.mark.parametrize("before", [(), (HARD, EASY)])
@pytest.mark.parametrize(("ask", "tier"), [(EASY, "weak"), (HARD, "strong")])
def test_a_loop_stays_on_its_model(
    by: str, shortened: str, before: tuple[str, ...], ask: str, tier: str
) -> None:
    steps: list[str] = []
    strong, weak = Looping(name="strong", steps=steps), Looping(name="weak", steps=steps)
    middleware: list[Any] = [SHORTENED[shortened]]
    model: Any = ChatRouteLLM(strong, weak, **LENGTH, on_no_text="strong")
    if by == "RouteLLMMiddleware":
        model, middleware = strong, [RouteLLMMiddleware(weak, **LENGTH), *middleware]
    talk = [each for text in before for each in (HumanMessage(text), AIMessage("Yes."))]
    messages = {"messages": [*talk, *asked(ask)["messages"]]}
    create_agent(model, [lookup], middleware=middleware).invoke(messages)
    assert steps == [tier] * STEPS


@pytest.mark.parametrize("by", ["ChatRouteLLM", "RouteLLMMiddleware"])
@pytest.mark.parametrize(("ask", "added", "tier"), [(EASY, HARD, "weak"), (HARD, EASY, "strong")])
def test_what_an_agent_adds_in_the_humans_place_is_not_scored(
    by: str, ask: str, added: str, tier: str
) -> None:
    steps: list[str] = []
    strong, weak = Looping(name="strong", steps=steps), Looping(name="weak", steps=steps)
    routed = by == "RouteLLMMiddleware"
    model: Any = strong if routed else ChatRouteLLM(strong, weak, **LENGTH)
    # As langchain_core.messages.add_notification_metadata marks it.
    note = HumanMessage(added, additional_kwargs={"lc_source": "async_subagent"})
    middleware: list[Any] = [RouteLLMMiddleware(weak, **LENGTH)] if routed else []
    agent = create_agent(model, [lookup], middleware=middleware)
    agent.invoke({"messages": [*asked(ask)["messages"], AIMessage("Wait."), note]})
    assert steps == [tier] * STEPS
