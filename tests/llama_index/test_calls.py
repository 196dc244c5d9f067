"""Every call goes, whole and once, to the model that its question calls for."""

from __future__ import annotations

import asyncio
import gc
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from llama_index.core.base.llms.base import BaseLLM
from llama_index.core.base.llms.types import (
    ChatResponse,
    CompletionResponse,
    ImageBlock,
    TextBlock,
)
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.instrumentation.events.exception import ExceptionEvent
from llama_index.core.llms import ChatMessage
from llama_index.core.llms.llm import ToolSelection
from llama_index.llms.openai_like import OpenAILike
from llama_index_instrumentation.dispatcher import active_instrument_tags
from pydantic import BaseModel

from routellm_plugins.llama_index import RouteLLM
from tests.llama_index.calls import EVERY, TEMPLATE, TOOL, City, filled, run
from tests.llama_index.recorded import Recorder
from tests.llama_index.routed import EASY, HARD, TIER, Routed, index

# LlamaIndex's structured LLM uses it.
pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20")

QUESTIONS = pytest.mark.parametrize("question", [EASY, HARD])
EVERY_CALL = pytest.mark.parametrize(("name", "kind"), EVERY)


def test_it_is_an_llm():
    assert BaseLLM.__name__ in [base.__name__ for base in RouteLLM.__mro__]


def test_every_method_of_an_llm_is_ours():
    own = {"class_name", "metadata", "as_structured_llm", "convert_chat_messages", "to_payload"}
    public = {
        name
        for base in RouteLLM.__mro__
        if base.__module__.startswith("llama_index.core") and "llms" in base.__module__
        for name in vars(base)
        if callable(getattr(base, name)) and not name.startswith(("_", "check_", "set_", "model_"))
    }
    defined_by = {
        name: next(base.__module__ for base in RouteLLM.__mro__ if name in vars(base))
        for name in public - own
    }
    assert {module.partition(".")[0] for module in defined_by.values()} == {"routellm_plugins"}


@EVERY_CALL
async def test_a_call_goes_to_the_model_of_its_question(name: str, kind: str, pair: Routed):
    llm = pair.llm()
    assert await run(name, kind, llm, EASY)
    assert pair.answered() == {"strong": 0, "weak": 1}
    assert await run(name, kind, llm, HARD)
    assert pair.answered() == {"strong": 1, "weak": 0}
    assert pair.texts == [EASY, HARD]


@EVERY_CALL
async def test_nothing_shows_that_a_router_stood_in_between(name: str, kind: str, pair: Routed):
    bare = await run(name, kind, pair.bare("strong"), HARD)
    routed = await run(name, kind, pair.llm(), HARD)
    sent_bare, sent_routed = pair.strong.requests
    assert sent_routed == sent_bare
    assert [without_ids(one) for one in routed] == [without_ids(one) for one in bare]


@EVERY_CALL
async def test_tokens_are_counted_as_without_routing(name: str, kind: str, pair: Routed):
    counts = []
    for llm in (pair.bare("weak"), pair.llm()):
        counter = TokenCountingHandler()
        llm.callback_manager = CallbackManager([counter])
        await run(name, kind, llm, EASY)
        counts.append(
            [(e.prompt_token_count, e.completion_token_count) for e in counter.llm_token_counts]
        )
    assert counts[0]
    assert counts[1] == counts[0]


@pytest.mark.parametrize(
    ("name", "kind"), [each for each in EVERY if re.search("chat|complete|as_structured", each[0])]
)
async def test_every_response_and_chunk_says_how_it_was_routed(name: str, kind: str, pair: Routed):
    given = await run(name, kind, pair.llm(), HARD)
    decision = pair.decisions[0].as_metadata()
    assert decision["score"] == 0.8
    assert [one.additional_kwargs["routellm"] for one in given] == [decision] * len(given)
    for one in given:
        if isinstance(one, ChatResponse):
            assert "routellm" not in one.message.additional_kwargs


async def test_the_decision_is_not_sent_on_with_the_conversation(pair: Routed):
    llm = pair.llm()
    history = [ChatMessage(HARD)]
    history.append(llm.chat(history).message)
    history.append([*llm.stream_chat(history)][-1].message)
    history.append(ChatMessage(HARD))
    with_call = llm.chat_with_tools([TOOL], chat_history=history)
    (call,) = llm.get_tool_calls_from_response(with_call)
    history.append(with_call.message)
    identity = {"tool_call_id": call.tool_id}
    history.append(ChatMessage("3", role="tool", additional_kwargs=identity))
    *_, last = await achunks(llm.astream_chat_with_tools([TOOL], chat_history=history))
    llm.chat([*history, last.message, ChatMessage(HARD)])
    assert not any("routellm" in message.additional_kwargs for message in history)
    assert len(pair.strong.requests) == 5
    assert "tool_calls" in str(pair.strong.requests[-1]["messages"])
    assert "routellm" not in str(pair.strong.requests)


@QUESTIONS
def test_a_tool_loop_stays_with_its_model(question: str, pair: Routed):
    llm = pair.llm()
    history = [ChatMessage(question)]
    response = llm.chat_with_tools([TOOL], chat_history=history)
    (call,) = llm.get_tool_calls_from_response(response)
    identity = {"tool_call_id": call.tool_id}
    history.append(response.message)
    history.append(ChatMessage("prove this, too", role="tool", additional_kwargs=identity))
    response = llm.chat_with_tools([TOOL], chat_history=history)
    assert llm.get_tool_calls_from_response(response, error_on_no_tool_call=False) == []
    assert pair.texts == [question, question]
    assert pair.answered()[TIER[question]] == 2


@pytest.mark.parametrize("stream", [True, False])
def test_the_model_that_answered_reads_its_tool_calls(stream: bool, pair: Routed):
    class Other(OpenAILike):
        """A client of a provider whose answers read differently."""

        def get_tool_calls_from_response(self, *args: Any, **kwargs: Any) -> list[ToolSelection]:
            return [ToolSelection(tool_id="1", tool_name="other", tool_kwargs={})]

    plain = pair.bare("strong")
    other = Other(**dict(pair.bare("weak")))
    llm = RouteLLM(plain, other, router="recording", threshold=0.5)
    for question, name in ((EASY, "other"), (HARD, "add")):
        if stream:
            *_, response = llm.stream_chat_with_tools([TOOL], question)
        else:
            response = llm.chat_with_tools([TOOL], question)
        assert llm.get_tool_calls_from_response(response)[0].tool_name == name


def test_a_model_that_calls_no_functions_gives_typed_answers_in_its_own_way(pair: Routed):
    llm = pair.llm()
    llm.weak.is_function_calling_model = False
    pair.weak.replies = {"JSON schema": '{"name": "Canberra"}'}
    # A copy, because LlamaIndex leaves its parser in the template.
    template = TEMPLATE.model_copy()
    easy, hard = (llm.structured_predict(City, template, **filled(q)) for q in (EASY, HARD))
    assert (easy, hard) == (City(name="Canberra"), City(name="example"))
    assert llm.as_structured_llm(City).complete(EASY).raw == City(name="Canberra")
    assert [bool(model.requests[0].get("tools")) for model in (pair.weak, pair.strong)] == [
        False,
        True,
    ]
    assert pair.answered() == {"strong": 1, "weak": 2}


def test_calls_at_the_same_time_keep_their_decisions(pair: Routed):
    llm = pair.llm()
    questions = [EASY, HARD] * 16
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(llm.complete, questions))
    assert [answer.raw.model for answer in answers] == [
        pair.model(TIER[question]).model for question in questions
    ]
    assert [answer.additional_kwargs["routellm"]["tier"] for answer in answers] == [
        TIER[question] for question in questions
    ]


@pytest.mark.parametrize("way", ["", "stream_", "a", "astream_"])
@pytest.mark.parametrize("method", ["chat", "complete", "chat_with_tools", "structured_predict"])
async def test_parameters_of_a_call_reach_the_model(method: str, way: str, pair: Routed):
    arguments: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
        "chat": (([ChatMessage(HARD)],), {"temperature": 0.7}),
        "complete": ((HARD,), {"formatted": True, "temperature": 0.7}),
        "chat_with_tools": (([TOOL], HARD), {"tool_required": True, "temperature": 0.7}),
        "structured_predict": ((City, TEMPLATE, {"temperature": 0.7}), filled(HARD)),
    }
    llm = pair.llm()
    llm.strong.completion_to_prompt = lambda words: f"Not formatted yet: {words}"
    args, kwargs = arguments[method]
    given = getattr(llm, way + method)(*args, **kwargs)
    if way.startswith("a"):
        given = await given
    if way == "astream_":
        assert [chunk async for chunk in given]
    elif way == "stream_":
        assert list(given)
    (sent,) = pair.strong.requests
    assert sent["temperature"] == 0.7
    assert "Not formatted yet" not in str(sent["messages"])
    assert method != "chat_with_tools" or sent["tool_choice"] == "required"


def test_two_thresholds_for_the_same_models(pair: Routed):
    usual = pair.llm()
    cheap = RouteLLM(usual.strong, usual.weak, router="recording", threshold=0.9)
    assert [llm.complete(HARD).raw.model for llm in (usual, cheap, usual)] == [
        "gpt-4o",
        "gpt-4o-mini",
        "gpt-4o",
    ]


def test_a_question_with_pictures_is_scored_by_its_words(pair: Routed):
    picture = ImageBlock(url="http://127.0.0.1/prove.png", image_mimetype="image/png")
    blocks = [TextBlock(text="What is"), picture, TextBlock(text="on this?")]
    pair.llm().chat([ChatMessage(role="user", blocks=blocks)])
    assert pair.texts == ["What is\non this?"]


def test_a_stream_left_early_leaves_nothing_behind(pair: Routed):
    stream = pair.llm().stream_chat([ChatMessage(HARD)])
    next(stream)
    stream.close()
    assert active_instrument_tags.get() == {}


@pytest.mark.parametrize("fallback", [None, "strong"])
async def test_an_async_stream_left_early_ends_the_models(
    pair: Routed, recorder: Recorder, fallback: str | None
):
    ends = []
    for llm in (pair.bare("weak"), pair.llm(fallback=fallback)):
        stream = await llm.astream_chat([ChatMessage(EASY)])
        await stream.__anext__()
        await stream.aclose()
        ends.append([type(event.exception) for event in recorder.events(ExceptionEvent)])
    assert ends == [[GeneratorExit], [GeneratorExit] * 2]


@pytest.mark.parametrize("fallback", [None, "strong"])
def test_streams_that_an_event_loop_closes_at_its_end_log_nothing(
    pair: Routed, fallback: str | None, caplog: pytest.LogCaptureFixture
):
    async def leave() -> None:
        llm = pair.llm(fallback=fallback)
        engine = index(1).as_query_engine(llm=llm, streaming=True)
        answer = await engine.aquery(EASY)
        for stream in (answer.async_response_gen(), await llm.astream_chat([ChatMessage(EASY)])):
            async for _ in stream:
                break

    asyncio.run(leave())
    gc.collect()  # tells of tasks whose error nobody has read
    assert [record for record in caplog.records if record.name == "asyncio"] == []


async def achunks(stream: Any) -> list[Any]:
    return [chunk async for chunk in await stream]


def without_ids(given: Any) -> Any:
    """Return an answer without what differs from call to call, and without our mark."""
    if isinstance(given, BaseModel) and not isinstance(given, (ChatResponse, CompletionResponse)):
        return given.model_dump()
    if not isinstance(given, (ChatResponse, CompletionResponse)):
        return getattr(given, "response", given)
    plain = given.model_dump(exclude={"raw"})
    plain["additional_kwargs"].pop("routellm", None)
    message = plain.get("message", {})
    message.pop("additional_kwargs", None)
    for block in message.get("blocks", []):
        block.pop("tool_call_id", None)
    return plain
