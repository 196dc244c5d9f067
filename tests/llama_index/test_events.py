"""Callbacks and instrumentation of LlamaIndex during a routed call."""

from __future__ import annotations

import json

import pytest
from llama_index.core import Settings
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.instrumentation.events.llm import (
    LLMChatEndEvent,
    LLMChatInProgressEvent,
    LLMChatStartEvent,
    LLMCompletionStartEvent,
)
from llama_index.core.llms import LLM, ChatMessage, MockLLM
from llama_index_instrumentation.dispatcher import instrument_tags

from routellm_plugins.llama_index import RouteDecisionEvent, RouteLLM
from tests.llama_index.calls import EVERY, run
from tests.llama_index.recorded import Recorder
from tests.llama_index.routed import EASY, HARD, Routed

# LlamaIndex's structured LLM uses it.
pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20")

EVERY_CALL = pytest.mark.parametrize(("name", "kind"), EVERY)


@EVERY_CALL
async def test_events_are_those_of_the_model_and_one_decision(
    name: str, kind: str, pair: Routed, recorder: Recorder
):
    await run(name, kind, pair.bare("strong"), HARD)
    bare = [type(event).__name__ for event in recorder.events()]
    recorder.events_handler.seen.clear()
    await run(name, kind, pair.llm(), HARD)
    routed = [type(event).__name__ for event in recorder.events()]
    assert routed.count("RouteDecisionEvent") == 1
    routed.remove("RouteDecisionEvent")
    assert routed == bare


@EVERY_CALL
async def test_events_tell_which_llm_is_called_and_with_what(
    name: str, kind: str, pair: Routed, recorder: Recorder
):
    told = []
    for llm in (pair.bare("strong"), pair.llm()):
        recorder.events_handler.seen.clear()
        await run(name, kind, llm, HARD)
        starts = recorder.events(LLMChatStartEvent) + recorder.events(LLMCompletionStartEvent)
        told.append([(each.model_dict, each.additional_kwargs) for each in starts])
    assert told[0]
    assert told[1] == told[0]


async def test_what_a_completion_does_not_give_is_not_in_its_events(recorder: Recorder):
    told = []
    strong, weak = MockLLM(max_tokens=5), MockLLM(max_tokens=9)
    for llm in (strong, RouteLLM(strong, weak, threshold=0.0)):
        recorder.events_handler.seen.clear()
        for given in ({}, {"formatted": True}):
            llm.complete(HARD, **given)
            list(llm.stream_complete(HARD, **given))
            await llm.acomplete(HARD, **given)
            assert [chunk async for chunk in await llm.astream_complete(HARD, **given)]
        told.append([each.additional_kwargs for each in recorder.events(LLMCompletionStartEvent)])
    assert told[1] == told[0]
    assert {} in told[0]


@EVERY_CALL
async def test_callback_events_are_those_of_the_model(name: str, kind: str, pair: Routed):
    seen = []
    for llm in (pair.bare("strong"), pair.llm()):
        debug = LlamaDebugHandler(print_trace_on_end=False)
        llm.callback_manager = CallbackManager([debug])
        await run(name, kind, llm, HARD)
        seen.append([event.event_type for event in debug.get_events()])
    assert CBEventType.LLM in seen[0]
    assert seen[1] == seen[0]


def test_the_event_has_the_whole_decision(pair: Routed, recorder: Recorder):
    pair.llm().complete(HARD)
    (event,) = recorder.events(RouteDecisionEvent)
    assert pair.decisions[0].as_metadata().items() <= event.model_dump().items()
    assert event.span_id.startswith("RouteLLM.complete-")
    assert event.model_dump()["class_name"] == "RouteDecisionEvent"


async def test_events_and_spans_of_the_call_are_tagged(pair: Routed, recorder: Recorder):
    llm = pair.llm()
    llm.chat([ChatMessage(EASY)])
    list(llm.stream_chat([ChatMessage(EASY)]))
    await llm.achat([ChatMessage(EASY)])
    assert [chunk async for chunk in await llm.astream_chat([ChatMessage(EASY)])]
    tagged = recorder.events(LLMChatStartEvent) + recorder.events(LLMChatEndEvent)
    assert len(tagged) == 8
    tagged += recorder.events(LLMChatInProgressEvent)
    assert len(tagged) > 20
    expected = {f"routellm_{k}": v for k, v in pair.decisions[0].as_metadata().items()}
    del expected["routellm_elapsed_ms"]
    for event in tagged:
        assert expected.items() <= event.tags.items()
    inner = [tags for name, tags in recorder.spans if name.startswith("OpenAILike.")]
    assert len(inner) >= 4
    for tags in inner:
        assert tags["routellm_tier"] == "weak"


def test_the_applications_own_tags_stay(pair: Routed, recorder: Recorder):
    with instrument_tags({"customer": "one"}):
        pair.llm().chat([ChatMessage(EASY)])
    (start,) = recorder.events(LLMChatStartEvent)
    assert (start.tags["customer"], start.tags["routellm_tier"]) == ("one", "weak")


async def test_tags_end_with_the_call_and_between_the_chunks_of_a_stream(
    pair: Routed, recorder: Recorder
):
    llm = pair.llm()
    bare = pair.bare("strong")
    stream = llm.stream_chat([ChatMessage(EASY)])
    astream = await llm.astream_chat([ChatMessage(EASY)])
    for _ in range(2):
        next(stream)
        await astream.__anext__()
        recorder.events_handler.seen.clear()
        bare.chat([ChatMessage(HARD)])
        assert [event.tags for event in recorder.events()] == [{}, {}]
    assert list(stream)
    assert [chunk async for chunk in astream]
    bare.chat([ChatMessage(HARD)])
    assert recorder.events()[-1].tags == {}


def test_events_name_the_model_that_answered(pair: Routed, recorder: Recorder):
    pair.llm().chat([ChatMessage(EASY)])
    (event,) = recorder.events(LLMChatStartEvent)
    assert event.model_dict["model_name" if "model_name" in event.model_dict else "model"] == (
        "gpt-4o-mini"
    )


def test_a_callback_manager_reaches_both_models(pair: Routed):
    manager = CallbackManager([])
    llm = pair.llm(callback_manager=manager)
    assert llm.strong.callback_manager is llm.weak.callback_manager is manager
    llm.callback_manager = later = CallbackManager([])
    assert llm.strong.callback_manager is llm.weak.callback_manager is later


@pytest.mark.skipif("rate_limiter" not in LLM.model_fields, reason="needs a newer LlamaIndex")
def test_a_rate_limiter_reaches_both_models(pair: Routed):
    llm = pair.llm()
    llm.rate_limiter = limiter = object()
    assert llm.strong.rate_limiter is llm.weak.rate_limiter is limiter


def test_the_models_keep_their_callback_managers_until_one_is_set(pair: Routed):
    strong, weak = pair.bare("strong"), pair.bare("weak")
    managers = strong.callback_manager, weak.callback_manager
    llm = RouteLLM(strong, weak, router="recording", threshold=0.5)
    assert (strong.callback_manager, weak.callback_manager) == managers
    assert llm.callback_manager is strong.callback_manager


def test_settings_give_both_models_their_callback_manager(
    pair: Routed, monkeypatch: pytest.MonkeyPatch
):
    debug = LlamaDebugHandler(print_trace_on_end=False)
    for name in ("_llm", "_callback_manager"):
        monkeypatch.setattr(Settings, name, getattr(Settings, name))
    Settings.callback_manager = CallbackManager([debug])
    Settings.llm = pair.llm()
    Settings.llm.complete(EASY)
    Settings.llm.complete(HARD)
    assert len(debug.get_llm_inputs_outputs()) == 2


def test_an_error_of_the_model_is_reported_once_and_comes_through(pair: Routed, recorder: Recorder):
    pair.strong.failing_with = 400
    try:
        with pytest.raises(Exception, match="fails on purpose"):
            pair.llm().chat([ChatMessage(HARD)])
    finally:
        pair.strong.failing_with = None
    assert len(recorder.events(LLMChatStartEvent)) == 1
    assert pair.answered() == {"strong": 1, "weak": 0}


def test_the_decision_is_in_a_dump_of_what_was_set(pair: Routed):
    """As OpenInference's instrumentation logs responses."""
    llm = pair.llm()
    *_, last = llm.stream_chat([ChatMessage(EASY)])
    for response in (llm.chat([ChatMessage(EASY)]), llm.complete(EASY), last):
        found = json.loads(response.model_dump_json(exclude_unset=True))
        assert found["additional_kwargs"]["routellm"]["tier"] == "weak"
