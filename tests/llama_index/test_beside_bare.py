"""A RouteLLM does what the bare LLM does: same requests, same answers, same errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.types import BaseOutputParser, PydanticProgramMode

from tests.llama_index.calls import EVERY, TEMPLATE, City, run
from tests.llama_index.routed import EASY, HARD, TIER, Routed, index

# LlamaIndex's structured LLM uses it.
pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20")

Query = Callable[[Any, str], Any]


class Shouting(BaseOutputParser):
    """Changes both what is asked and what is answered."""

    def format(self, query: str) -> str:
        return f"{query} SHOUT."

    def parse(self, output: str) -> str:
        return output.upper()


def _engine(mode: str) -> Query:
    def query(llm: Any, question: str) -> Any:
        engine = index().as_query_engine(
            llm=llm.as_structured_llm(City), response_mode=mode, similarity_top_k=3
        )
        return engine.query(question).response

    return query


@pytest.mark.parametrize(
    "mode", ["compact", "refine", "tree_summarize", "simple_summarize", "accumulate"]
)
@pytest.mark.parametrize("question", [EASY, HARD])
def test_a_structured_answer_of_an_engine_is_routed_by_the_question(
    pair: Routed, mode: str, question: str
) -> None:
    tier = TIER[question]
    outcomes = []
    for llm in (pair.bare(tier), pair.llm()):
        pair.texts.clear()
        try:
            outcomes.append(_engine(mode)(llm, question))
        except Exception as error:  # what LlamaIndex does not support
            outcomes.append((type(error), str(error)))
        requests = list(pair.model(tier).requests)
        assert pair.answered()[tier] == len(requests)
        outcomes.append(requests)
    assert outcomes[2:] == outcomes[:2]
    assert set(pair.texts) == {question}


async def test_a_structured_answer_in_every_way_of_calling(pair: Routed) -> None:
    template = PromptTemplate("Prove all of this: {context_str}\n{query_str}")
    filled = {"context_str": "prove it", "query_str": EASY}
    sent = []
    for llm in (pair.bare("weak"), pair.llm()):
        structured = llm.as_structured_llm(City, system_prompt="Be brief.")
        answers = [
            structured.predict(template, **filled),
            await structured.apredict(template, **filled),
            "".join(structured.stream(template, **filled)),
            "".join([token async for token in await structured.astream(template, **filled)]),
        ]
        sent.append((answers, list(pair.weak.requests)))
        pair.forget()
    assert sent[1] == sent[0]
    assert len(sent[1][1]) == 4
    assert set(pair.texts) == {EASY}


ASSIGNED: dict[str, Any] = {
    "system_prompt": "Be brief.",
    "output_parser": Shouting(),
    "query_wrapper_prompt": PromptTemplate("Question: {query_str}"),
    "pydantic_program_mode": PydanticProgramMode.LLM,
    "messages_to_prompt": lambda messages: "all of it",
    "completion_to_prompt": lambda prompt: f"Complete: {prompt}",
}


@pytest.fixture
def template() -> Iterator[None]:
    """LlamaIndex's text programs put their output parser on the template of a call."""
    yield
    TEMPLATE.output_parser = None


@pytest.mark.usefixtures("template")
@pytest.mark.parametrize("name", ASSIGNED)
@pytest.mark.parametrize(("call", "kind"), EVERY)
async def test_what_is_assigned_later_is_obeyed(
    pair: Routed, name: str, call: str, kind: str
) -> None:
    outcomes: list[Any] = []
    for llm in (pair.bare("weak"), pair.llm()):
        setattr(llm, name, ASSIGNED[name])
        assert getattr(llm, name) == ASSIGNED[name]
        try:
            answers = await run(call, kind, llm, EASY)
            said = [str(getattr(answer, "message", answer)) for answer in answers]
        except Exception as error:
            said = [type(error).__name__, str(error)]
        outcomes.append((said, list(pair.weak.requests)))
        pair.forget()
    assert outcomes[1] == outcomes[0]


def test_what_is_no_setting_of_every_llm_is_refused(pair: Routed) -> None:
    llm = pair.llm()
    for name in ("temperature", "strong", "settings"):
        with pytest.raises(ValueError, match=name):
            setattr(llm, name, 0.5)
    assert llm.chat([ChatMessage(EASY)]).message.content
