"""With ``fallback="strong"`` a call that the weak LLM fails goes to the strong one."""

from __future__ import annotations

from typing import Any

import pytest
from llama_index.core.base.llms.types import CompletionResponse
from llama_index.core.llms import ChatMessage, MockLLM
from openai import APIStatusError

from routellm_core import ConfigError
from routellm_plugins.llama_index import RouteDecisionEvent, RouteLLM
from tests.llama_index.calls import EVERY, TOOL, run
from tests.llama_index.recorded import Recorder
from tests.llama_index.routed import EASY, HARD, Routed

# LlamaIndex's structured LLM uses it.
pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20")


@pytest.fixture(autouse=True)
def working(pair: Routed) -> None:
    pair.strong.failing_with = pair.weak.failing_with = None


@pytest.mark.parametrize(("call", "kind"), EVERY)
async def test_every_call_is_answered(pair: Routed, call: str, kind: str, recorder: Recorder):
    pair.weak.failing_with = 500
    with pytest.raises(APIStatusError):
        await run(call, kind, pair.llm(), EASY)
    assert pair.answered() == {"strong": 0, "weak": 1}
    answers = await run(call, kind, pair.llm(fallback="strong"), EASY)
    assert pair.answered() == {"strong": 1, "weak": 1}
    assert len(pair.decisions) == 2
    causes = [(each.tier, each.cause) for each in recorder.events(RouteDecisionEvent)[-2:]]
    assert causes == [("weak", "score"), ("strong", "fallback:InternalServerError")]
    for answer in answers:
        if hasattr(answer, "additional_kwargs") and "routellm" in answer.additional_kwargs:
            decision = answer.additional_kwargs["routellm"]
            assert (decision["tier"], decision["cause"]) == causes[1]
            assert decision["score"] == 0.2
    bare = await run(call, kind, pair.bare("strong"), EASY)
    assert len(answers) == len(bare)


def test_tools_are_read_by_the_llm_that_called_them(pair: Routed):
    pair.weak.failing_with = 500
    llm = pair.llm(fallback="strong")
    response = llm.chat_with_tools([TOOL], EASY)
    (call,) = llm.get_tool_calls_from_response(response)
    assert call.tool_name == "add"


async def test_the_strong_llms_failures_are_its_own(pair: Routed):
    llm = pair.llm(fallback="strong")
    pair.strong.failing_with = 503
    for question, asked in ((HARD, {"strong": 1, "weak": 0}), (EASY, {"strong": 1, "weak": 1})):
        pair.weak.failing_with = 500
        for call, kind in (("chat", "call"), ("astream_chat", "async stream")):
            with pytest.raises(APIStatusError) as caught:
                await run(call, kind, llm, question)
            assert caught.value.status_code == 503
            assert pair.answered() == asked


class Breaking(MockLLM):
    """Breaks off after these tokens."""

    tokens: tuple[str, ...] = ()

    @property
    def metadata(self) -> Any:
        return MockLLM().metadata.model_copy(update={"model_name": "breaking"})

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        def broken() -> Any:
            for token in self.tokens:
                yield CompletionResponse(text=token, delta=token)
            raise RuntimeError("the connection is gone")

        return broken()

    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        async def broken() -> Any:
            for chunk in self.stream_complete(prompt):
                yield chunk

        return broken()


async def _streamed(llm: RouteLLM, kind: str) -> list[str]:
    if kind == "sync":
        return [str(chunk.delta) for chunk in llm.stream_complete(EASY)]
    return [str(chunk.delta) async for chunk in await llm.astream_complete(EASY)]


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_stream_falls_back_up_to_its_first_token(pair: Routed, kind: str):
    def llm(*tokens: str) -> RouteLLM:
        weak = Breaking()
        weak.tokens = tokens
        settings: dict[str, Any] = {"router": "recording", "threshold": 0.5}
        return RouteLLM(pair.bare("strong"), weak, fallback="strong", **settings)

    for tokens in ((), ("", "")):
        deltas = await _streamed(llm(*tokens), kind)
        assert "".join(deltas).startswith("gpt-4o")
    pair.forget()
    with pytest.raises(RuntimeError, match="the connection is gone"):
        await _streamed(llm("", "The"), kind)
    assert pair.answered() == {"strong": 0, "weak": 0}


def test_a_mistake_of_the_caller_is_no_failure(pair: Routed):
    llm = RouteLLM(
        pair.bare("strong"), MockLLM(), router="recording", threshold=0.5, fallback="strong"
    )
    with pytest.raises(ConfigError, match="takes no tools"):
        llm.chat_with_tools([], EASY)
    with pytest.raises(ConfigError, match="'fallback' is 'weak'"):
        pair.llm(fallback="weak")
    assert llm.chat([ChatMessage(EASY)]).message.role == "assistant"
