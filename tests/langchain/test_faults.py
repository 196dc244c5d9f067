"""What goes wrong in a call goes wrong as with the bare model."""

from __future__ import annotations

import asyncio
import gc
from typing import Any, ClassVar

import pytest

pytest.importorskip("langchain_openai")

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from routellm_plugins.langchain import ChatRouteLLM

pytestmark = pytest.mark.usefixtures("fresh")


class Slow(BaseChatModel):
    """Fails at once for one prompt, and answers the others after a while."""

    ended: ClassVar[list[str]] = []

    @property
    def _llm_type(self) -> str:
        return "slow"

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        raise NotImplementedError

    async def _agenerate(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> ChatResult:
        text = str(messages[-1].content)
        if text == "fail":
            raise RuntimeError("the provider is down")
        await asyncio.sleep(0.05)
        self.ended.append(text)
        return ChatResult(generations=[ChatGeneration(message=AIMessage("done"))])


def routed() -> ChatRouteLLM:
    return ChatRouteLLM(Slow(), Slow(), router="length", threshold=0.8)


@pytest.mark.parametrize("make", [Slow, routed], ids=["bare", "routed"])
async def test_a_call_that_fails_leaves_none_running(make: Any) -> None:
    model = make()
    ended: list[str] = (model.weak if isinstance(model, ChatRouteLLM) else model).ended
    ended.clear()
    prompts = [[HumanMessage("fail")], [HumanMessage("one")], [HumanMessage("two")]]
    gc.collect()  # or the loop may close generators of earlier tests meanwhile, in tasks of its own
    await asyncio.sleep(0.01)
    running = asyncio.all_tasks()
    with pytest.raises(RuntimeError, match="the provider is down"):
        await model.agenerate(prompts)
    assert sorted(ended) == ["one", "two"]
    assert asyncio.all_tasks() == running


@pytest.mark.parametrize(
    "malformed", [[{"role": "critic", "content": "x"}], [3], [("a", "b", "c")], None, 3]
)
async def test_messages_of_no_known_form(malformed: Any, gpt_4o: Any) -> None:
    model = ChatRouteLLM(gpt_4o, Slow(), router="length", threshold=0.8)
    for call, bare in ((model.invoke, gpt_4o.invoke), (model.stream, gpt_4o.stream)):
        raised = []
        for each in (call, bare):
            with pytest.raises(Exception) as caught:  # noqa: PT011
                list(each(malformed))
            raised.append((caught.type, str(caught.value)))
        assert raised[0] == raised[1]
