"""A model whose profile says that it cannot serve a call is not chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("langchain")
pytest.importorskip("langchain_openai")

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from pydantic import BaseModel

from routellm_plugins.langchain import ChatRouteLLM, RouteLLMMiddleware
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY, HARD
from tests.langchain.agents import LENGTH, asked, made, who
from tests.langchain.clients import client

if "profile" not in BaseChatModel.model_fields:
    pytest.skip("this langchain-core has no profiles", allow_module_level=True)

pytestmark = pytest.mark.usefixtures("fresh")

ALL = {
    "max_input_tokens": 100_000,
    "image_inputs": True,
    "audio_inputs": True,
    "video_inputs": True,
    "pdf_inputs": True,
    "tool_calling": True,
    "structured_output": True,
}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
LONG = "word " * 2_000
SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "fact",
        "schema": {
            "title": "fact",
            "type": "object",
            "properties": {"text": {"type": "string"}},
            "required": ["text"],
        },
    },
}


def look_up(city: str) -> str:
    """Look a city up."""
    return LONG


class Fact(BaseModel):
    """A fact."""

    text: str


def structured(llm: Any, **kwargs: Any) -> Any:
    """Return the raw message of a structured output; the stand-ins know no schema."""
    routed = llm.with_structured_output(Fact, include_raw=True, **kwargs)
    return routed.invoke(EASY)["raw"]


CASES: dict[str, tuple[dict[str, Any], Callable[[Any], Any], str]] = {
    "context window": (
        {"max_input_tokens": 1_000},
        lambda llm: llm.invoke([("human", LONG), ("ai", "Yes."), ("human", EASY)]),
        "context_window",
    ),
    "text": ({"max_input_tokens": 1_000}, lambda llm: llm.invoke(LONG), "context_window"),
    "image": (
        {"image_inputs": False},
        lambda llm: llm.invoke([HumanMessage([{"type": "text", "text": EASY}, IMAGE])]),
        "vision",
    ),
    "tools": ({"tool_calling": False}, lambda llm: llm.bind_tools([look_up]).invoke(EASY), "tools"),
    "structured output": (
        {"structured_output": False},
        lambda llm: structured(llm, method="json_schema"),
        "structured_output",
    ),
    "structured output by a tool": (
        {"tool_calling": False},
        lambda llm: structured(llm, method="function_calling"),
        "tools",
    ),
    "response format": (
        {"structured_output": False},
        lambda llm: llm.invoke(EASY, response_format=SCHEMA),
        "structured_output",
    ),
}


def _pair(strong: Upstream, weak: Upstream, lacking: dict[str, Any], of: str) -> Any:
    profiles = {"strong": dict(ALL), "weak": dict(ALL)}
    profiles[of] |= lacking
    return (
        client(strong, profile=profiles["strong"]),
        client(weak, profile=profiles["weak"]),
    )


@pytest.mark.parametrize("case", CASES)
def test_the_other_model_is_chosen(strong: Upstream, weak: Upstream, case: str) -> None:
    lacking, call, cause = CASES[case]
    for threshold, of, tier in ((0.99, "weak", "strong"), (0.01, "strong", "weak")):
        llm = ChatRouteLLM(*_pair(strong, weak, lacking, of), router="length", threshold=threshold)
        decision = call(llm).response_metadata["routellm"]
        assert (decision["tier"], decision["cause"], decision["score"]) == (tier, cause, None)


DATA = "A" * 1_000_000
MEDIA: dict[str, tuple[dict[str, Any], str | None]] = {
    "video": ({"type": "video", "base64": DATA, "mime_type": "video/mp4"}, "video"),
    "video by url": (
        {"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{DATA}"}},
        "video",
    ),
    "video for Gemini": ({"type": "media", "data": DATA, "mime_type": "video/mp4"}, "video"),
    "audio for Gemini": ({"type": "media", "data": DATA, "mime_type": "audio/wav"}, "audio"),
    "image in a tool's result": (
        {
            "type": "tool_result",
            "tool_use_id": "1",
            "content": [{"type": "image", "source": {"type": "base64", "data": DATA}}],
        },
        "vision",
    ),
    "text in a file": ({"type": "text-plain", "base64": DATA, "mime_type": "text/plain"}, None),
    "of one provider": ({"type": "non_standard", "value": {"type": "x", "data": DATA}}, None),
}


@pytest.mark.parametrize("case", MEDIA)
def test_media_are_no_words(strong: Upstream, weak: Upstream, case: str) -> None:
    block, cause = MEDIA[case]
    messages = [HumanMessage([block]), AIMessage("Yes."), HumanMessage(EASY)]
    small = {"image_inputs": False, "audio_inputs": False, "video_inputs": False}
    able = client(strong, profile=ALL | {"max_input_tokens": 1_000_000})
    for lacking, expected in (({}, "score"), (small, cause or "score")):
        llm = ChatRouteLLM(able, client(weak, profile=ALL | lacking), **LENGTH)
        # Not sent, because the OpenAI client takes not all of them.
        assert llm._route(messages, None, {}).decision.cause == expected


def test_what_tools_were_called_with_is_read(strong: Upstream, weak: Upstream) -> None:
    llm = ChatRouteLLM(*_pair(strong, weak, {"max_input_tokens": 1_000}, "weak"), **LENGTH)
    call = {"name": "look_up", "args": {"city": LONG}, "id": "1"}
    answer = llm.invoke(
        [HumanMessage(EASY), AIMessage("", tool_calls=[call]), ToolMessage("", tool_call_id="1")]
    )
    assert answer.response_metadata["routellm"]["cause"] == "context_window"


async def test_every_way_to_call(strong: Upstream, weak: Upstream) -> None:
    llm = ChatRouteLLM(*_pair(strong, weak, {"max_input_tokens": 1_000}, "weak"), **LENGTH)
    messages: list[Any] = [HumanMessage(LONG), ("ai", "Yes."), ("human", EASY)]
    llm.invoke(messages)
    await llm.ainvoke(messages)
    list(llm.stream(messages))
    assert [chunk async for chunk in llm.astream(messages)]
    assert [m.response_metadata["routellm"]["tier"] for m in llm.batch([messages, EASY])] == [
        "strong",
        "weak",
    ]
    assert (len(strong.requests), len(weak.requests)) == (5, 1)


@pytest.mark.parametrize("method", ["json_mode", "function_calling"])
def test_a_structured_output_by_other_means_needs_no_schema(
    strong: Upstream, weak: Upstream, method: str
) -> None:
    pair = _pair(strong, weak, {"structured_output": False}, "weak")
    llm = ChatRouteLLM(*pair, router="length", threshold=0.99)
    raw = structured(llm, method=method)
    assert raw.response_metadata["routellm"]["tier"] == "weak"


def test_unknown_means_able(gpt_4o: Any, weak: Upstream) -> None:
    for model in (client(weak, profile={}), client(weak, profile={"name": "x"})):
        llm = ChatRouteLLM(gpt_4o, model, router="length", threshold=0.99)
        for messages in ([HumanMessage([IMAGE, {"type": "text", "text": EASY}])], EASY):
            assert llm.invoke(messages).response_metadata["routellm"]["tier"] == "weak"


async def test_a_turn_of_an_agent_that_outgrows_its_model(strong: Upstream, weak: Upstream) -> None:
    large, mini = _pair(strong, weak, {"max_input_tokens": 1_000}, "weak")
    agent = create_agent(large, [look_up], middleware=[RouteLLMMiddleware(mini, **LENGTH)])
    for output in (agent.invoke(asked(EASY)), await agent.ainvoke(asked(EASY))):
        assert who(output) == ["gpt-4o-mini", "gpt-4o"]
        assert (made(output)["tier"], made(output)["cause"]) == ("strong", "context_window")
    assert who(agent.invoke(asked(HARD))) == ["gpt-4o", "gpt-4o"]
