"""The question of a chain is scored, and not what its prompt puts around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("langchain_openai")

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate, PromptTemplate
from langchain_core.runnables import (
    RunnableBranch,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
)

from routellm_core import Decision
from routellm_plugins.langchain import ChatRouteLLM, route_on
from tests.fakes.routers import EASY, HARD
from tests.langchain.agents import LENGTH

pytestmark = pytest.mark.usefixtures("fresh")

CONTEXT = "Theorem 4 is proved by induction over n, where f(n) = n^2 - 1. " * 20
QUESTIONS = [
    "What is the capital of Australia?",
    "Who painted the Mona Lisa?",
    "How many days are in a week?",
    "What colour is the sky?",
    "Which animal says moo?",
    "What is the opposite of hot?",
    "Where do penguins live?",
    "When is Christmas?",
    "What do bees make?",
    "Who wrote Hamlet?",
]


@pytest.fixture
def llm(gpt_4o: Any, mini: Any) -> ChatRouteLLM:
    return ChatRouteLLM(gpt_4o, mini, **LENGTH)


PROMPTS: dict[str, Any] = {
    "template": ChatPromptTemplate.from_template("By {context} answer this: {question}"),
    "text": PromptTemplate.from_template("By {context} answer this: {question}"),
    "other name": ChatPromptTemplate([("human", "{context}\n\n{input}")]),
    "system": ChatPromptTemplate([("system", "By {context}."), ("human", "{query}")]),
}


def _scored(decisions: Any) -> list[tuple[str, float | None]]:
    made: list[Decision] = decisions.made
    scored = [(decision.tier, decision.score) for decision in made]
    made.clear()
    return scored


@pytest.mark.parametrize("name", PROMPTS)
async def test_every_way_to_call_a_chain(llm: ChatRouteLLM, decisions: Any, name: str) -> None:
    prompt = PROMPTS[name]
    chain = prompt | llm | StrOutputParser()

    def filled(question: str) -> dict[str, str]:
        return dict.fromkeys(prompt.input_variables, question) | {"context": CONTEXT}

    for question, expected in ((EASY, ("weak", 0.5)), (HARD, ("strong", 1.0))):
        chain.invoke(filled(question))
        await chain.ainvoke(filled(question))
        list(chain.stream(filled(question)))
        assert [chunk async for chunk in chain.astream(filled(question))]
        assert _scored(decisions) == [expected] * 4
    both = [filled(EASY), filled(HARD)]
    chain.batch(both)
    await chain.abatch(both)
    assert sorted(_scored(decisions)) == sorted([("weak", 0.5), ("strong", 1.0)] * 2)


def test_a_retrieval_chain(llm: ChatRouteLLM, decisions: Any) -> None:
    retrieved = RunnableLambda(lambda question: CONTEXT)
    chain = (
        {"context": retrieved, "question": RunnablePassthrough()}
        | PROMPTS["template"]
        | llm.bind(seed=7)
        | StrOutputParser()
    )
    chain.invoke(EASY)
    chain.invoke(HARD)
    assert _scored(decisions) == [("weak", 0.5), ("strong", 1.0)]
    properties = {"name": {"type": "string"}}
    schema = {"title": "City", "type": "object", "properties": properties}
    structured = PROMPTS["template"] | llm.with_structured_output(schema)
    structured.invoke({"context": CONTEXT, "question": EASY})
    assert _scored(decisions) == [("weak", 0.5)]


WRAPPED: dict[str, Callable[[Any], Any]] = {
    "with_retry": lambda m: m.with_retry(),
    "with_fallbacks": lambda m: m.with_fallbacks([m]),
    "tools, with_retry": lambda m: m.bind_tools([TOOL]).with_retry(),
    "tools, with_fallbacks": lambda m: m.bind_tools([TOOL]).with_fallbacks([m]),
    "structured, with_fallbacks": lambda m: m.with_structured_output(FORM).with_fallbacks([m]),
    "in parallel": lambda m: RunnableParallel(answer=m),
    "a branch": lambda m: RunnableBranch((lambda filled: False, RunnablePassthrough()), m),
    "a function": lambda m: RunnableLambda(lambda filled: m.invoke(filled)),
}
TOOL = {"name": "look", "description": "Look.", "parameters": {"type": "object", "properties": {}}}
FORM = {"title": "City", "type": "object", "properties": {"name": {"type": "string"}}}


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED)
async def test_what_has_a_run_of_its_own_around_the_model(
    llm: ChatRouteLLM, decisions: Any, wrap: Callable[[Any], Any]
) -> None:
    chain = PROMPTS["template"] | wrap(llm)
    filled = {"context": CONTEXT, "question": EASY}
    chain.invoke(filled)
    await chain.ainvoke(filled)
    assert list(chain.stream(filled))
    assert [chunk async for chunk in chain.astream(filled)]
    chain.batch([filled, filled])
    await chain.abatch([filled])
    assert set(_scored(decisions)) == {("weak", 0.5)}


def test_chains_side_by_side_do_not_mix(llm: ChatRouteLLM, decisions: Any) -> None:
    chain = PROMPTS["template"] | llm
    chain.batch([{"context": CONTEXT, "question": q} for q in [EASY, HARD] * 20])
    assert sorted(_scored(decisions)) == sorted([("weak", 0.5), ("strong", 1.0)] * 20)
    llm.invoke(CONTEXT)  # after a chain, a call that has none
    assert _scored(decisions) == [("strong", 1.0)]


def test_the_names_can_be_chosen(gpt_4o: Any, mini: Any, decisions: Any) -> None:
    prompt = ChatPromptTemplate.from_template("{background} What the customer wants: {wish}")
    filled = {"background": CONTEXT, "wish": EASY}
    for keys, tier in ((("wish",), "weak"), ((), "strong"), (("question",), "strong")):
        llm = ChatRouteLLM(gpt_4o, mini, question_keys=keys, **LENGTH)
        (prompt | llm).invoke(filled)
        assert _scored(decisions)[0][0] == tier


def test_a_variable_that_is_not_in_the_humans_message(llm: ChatRouteLLM, decisions: Any) -> None:
    prompt = ChatPromptTemplate([("system", "Topic: {question}"), ("human", "{text}")])
    (prompt | llm).invoke({"question": EASY, "text": HARD})
    assert _scored(decisions) == [("strong", 1.0)]


@pytest.mark.parametrize(
    "filled",
    [
        f"Use the following pieces of retrieved context.\nQuestion: {EASY} \nContext: {CONTEXT} \n"
        "Answer:",
        f"Use the following pieces of context to answer.\n\n{CONTEXT}\n\nQuestion: {EASY}\n"
        "Helpful Answer:",
        f"Context:\n{CONTEXT}\n\nQuestion: {EASY}",
    ],
)
def test_a_prompt_that_was_filled_by_hand(llm: ChatRouteLLM, decisions: Any, filled: str) -> None:
    llm.invoke(filled)
    llm.invoke([("human", filled)])
    assert _scored(decisions) == [("weak", 0.5)] * 2


def test_what_only_looks_like_one(llm: ChatRouteLLM, decisions: Any) -> None:
    for text in (f"Question: {EASY} {CONTEXT}", f"{CONTEXT}\nContext: none. Question: why?"):
        llm.invoke(text)
    assert _scored(decisions) == [("strong", 1.0)] * 2


def test_side_calls_go_where_utility_says(gpt_4o: Any, mini: Any, decisions: Any) -> None:
    summary = f'Write a concise summary of the following:\n\n\n"{CONTEXT}"'
    prompt = ChatPromptTemplate.from_template(
        'Write a concise summary of the following:\n\n\n"{text}"'
    )
    for utility, outcome in (
        ({}, ("weak", None)),
        ({"utility": "strong"}, ("strong", None)),
        ({"utility": "score"}, ("strong", 1.0)),
    ):
        llm = ChatRouteLLM(gpt_4o, mini, **LENGTH, **utility)
        llm.invoke(summary)
        llm.invoke([("human", summary)])
        (prompt | llm).invoke({"text": CONTEXT})
        assert _scored(decisions) == [outcome] * 3
    with route_on(HARD):
        ChatRouteLLM(gpt_4o, mini, **LENGTH).invoke(summary)
    assert _scored(decisions) == [("strong", 1.0)]


def test_easy_questions_by_retrieved_context_with_the_bundled_router(
    gpt_4o: Any, mini: Any, decisions: Any
) -> None:
    inputs = [{"context": CONTEXT, "question": question} for question in QUESTIONS]
    went = {}
    for keys in ((), ("question",)):
        llm = ChatRouteLLM(gpt_4o, mini, strong_share=0.5, question_keys=keys)
        (PROMPTS["template"] | llm).batch(inputs)
        went[keys] = [tier for tier, _ in _scored(decisions)].count("strong")
    assert went[()] >= 5
    assert went["question",] == 0
