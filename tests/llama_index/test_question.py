"""Which words of a call are scored."""

from __future__ import annotations

import time
from typing import Any

import pytest
from llama_index.core import QueryBundle
from llama_index.core.agent.workflow.prompts import DEFAULT_STATE_PROMPT as STATE_PROMPT
from llama_index.core.base.llms.types import MessageRole
from llama_index.core.chat_engine.condense_plus_context import DEFAULT_CONDENSE_PROMPT_TEMPLATE
from llama_index.core.indices.query.query_transform import HyDEQueryTransform
from llama_index.core.llms import ChatMessage
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.program import FunctionCallingProgram
from llama_index.core.prompts import ChatPromptTemplate, PromptTemplate
from llama_index.core.prompts.default_prompts import DEFAULT_REFINE_PROMPT, DEFAULT_TEXT_QA_PROMPT
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.retrievers.fusion_retriever import QUERY_GEN_PROMPT

from routellm_plugins.llama_index import route_on
from tests.llama_index.calls import TOOL, City
from tests.llama_index.routed import EASY, HARD, Routed, index


def user(words: str) -> ChatMessage:
    return ChatMessage(words, role=MessageRole.USER)


def assistant(words: str) -> ChatMessage:
    return ChatMessage(words, role=MessageRole.ASSISTANT)


THOUGHT = assistant("Thought: I need a tool.\nAction: prove\nAction Input: {}")
PARSING = (
    "Error while parsing the output: no thought\n\nThe output should be in one of the following "
    "formats: prove it"
)


UMBRELLAS = "Observation: it rains. How do umbrellas keep people dry?"


@pytest.mark.parametrize(
    ("messages", "scored"),
    [
        ([ChatMessage("prove", role="system"), user(EASY)], EASY),
        ([user(HARD), assistant("prove"), user(EASY)], EASY),
        ([user(EASY), assistant("prove"), ChatMessage("prove", role="tool")], EASY),
        ([user(EASY), THOUGHT, user("Observation: prove")], EASY),
        ([user(EASY), assistant("no"), user(PARSING)], EASY),
        ([user(EASY), assistant(""), user("FAILURE: Your previous response was empty.\n")], EASY),
        ([user(EASY), assistant("x"), user("Result of executing the code given:\n\n4")], EASY),
        ([user("Error while parsing the output: why?")], "Error while parsing the output: why?"),
        ([user("Observation: it rains. Why?")], "Observation: it rains. Why?"),
        ([user(HARD), assistant("Dry."), user(UMBRELLAS)], UMBRELLAS),
        ([user(STATE_PROMPT.format(state="prove", msg=f"Well,\n\n{EASY}"))], f"Well,\n\n{EASY}"),
    ],
)
def test_a_conversation_is_scored_by_the_humans_last_words(
    messages: list[ChatMessage], scored: str, pair: Routed
):
    llm = pair.llm()
    llm.chat(messages)
    llm.chat_with_tools([TOOL], chat_history=messages)
    assert pair.texts == [scored, scored]


def test_a_message_beside_the_history_comes_after_it(pair: Routed):
    llm = pair.llm()
    llm.chat_with_tools([TOOL], EASY, chat_history=[user(HARD)])
    llm.chat_with_tools([TOOL], user(EASY), chat_history=[user(HARD)])
    llm.predict_and_call([TOOL], user(EASY), chat_history=[user(HARD)])
    assert pair.texts == [EASY] * 3


def test_no_words_of_a_human_go_where_the_user_says(pair: Routed):
    silent = [ChatMessage("Prove it.", role="system")]
    assert pair.llm().chat(silent).additional_kwargs["routellm"]["cause"] == "no_text"
    pair.llm(on_no_text="weak").chat(silent)
    assert pair.answered() == {"strong": 1, "weak": 1}


@pytest.mark.parametrize("key", ["query_str", "question", "query", "user_msg"])
def test_a_template_is_scored_by_its_question(key: str, pair: Routed):
    template = PromptTemplate("Prove {context_str} {" + key + "}")
    pair.llm().predict(template, context_str=HARD, **{key: EASY})
    pair.llm().predict(template.partial_format(**{key: EASY}), context_str=HARD)
    assert pair.texts == [EASY, EASY]


@pytest.mark.parametrize("template", [DEFAULT_TEXT_QA_PROMPT, DEFAULT_REFINE_PROMPT])
def test_templates_by_the_kind_of_llm_are_scored_by_their_question(template: Any, pair: Routed):
    given = {"context_str": HARD, "context_msg": HARD, "existing_answer": HARD}
    pair.llm().predict(template.partial_format(query_str=EASY), **given)
    assert pair.texts == [EASY]


def test_the_variables_that_hold_questions_can_be_named(pair: Routed):
    llm = pair.llm(query_keys=["task"], utility="strong")
    llm.predict(PromptTemplate("{task} {query_str}"), task=EASY, query_str=HARD)
    assert pair.texts == [EASY]
    assert llm.settings.query_keys == ("task",)


def test_a_conversation_given_as_template_is_scored_as_one(pair: Routed):
    messages = [user(HARD), assistant("prove"), user(EASY)]
    pair.llm().predict(ChatPromptTemplate(message_templates=messages))
    pair.llm().predict(PromptTemplate(EASY))
    assert pair.texts == [EASY, EASY]


@pytest.mark.parametrize("utility", ["weak", "strong"])
def test_a_template_without_a_question_is_not_scored(utility: str, pair: Routed):
    HyDEQueryTransform(llm=pair.llm(utility=utility)).run(QueryBundle(HARD))
    assert pair.texts == []
    assert [(d.tier, d.cause, d.score) for d in pair.decisions] == [(utility, "utility", None)]
    assert pair.answered()[utility] == 1


def test_the_weak_model_gets_templates_without_a_question_unless_set_otherwise(pair: Routed):
    pair.llm().predict(PromptTemplate("Prove: {context_str}"), context_str=HARD)
    assert pair.answered() == {"strong": 0, "weak": 1}


def test_a_program_is_scored_by_the_prompt_that_it_fills(pair: Routed):
    program = FunctionCallingProgram.from_defaults(
        output_cls=City, llm=pair.llm(), prompt_template_str="Of {context_str}: {query_str}"
    )
    assert program(context_str="a map", query_str=EASY) == City(name="example")
    assert pair.texts == [f"Of a map: {EASY}"]


def test_templates_without_a_question_can_be_scored_whole(pair: Routed):
    llm = pair.llm(utility="score")
    llm.predict(PromptTemplate("Sum up: {context_str}"), context_str="It is so.")
    assert pair.texts == ["Sum up: It is so."]


def test_what_an_engine_filled_in_itself_is_read_back(pair: Routed):
    # LlamaIndex's default memory leaves a database open.
    memory = ChatMemoryBuffer.from_defaults()
    engine = index().as_chat_engine("condense_plus_context", llm=pair.llm(), memory=memory)
    engine.chat(HARD)
    pair.texts.clear()
    engine.chat(EASY)
    assert len(pair.texts) > 1
    assert set(pair.texts) == {EASY}


def test_questions_of_many_lines_are_read_back_whole(pair: Routed):
    asked = f"My kettle is loud.\n\n{EASY}"
    filled = DEFAULT_CONDENSE_PROMPT_TEMPLATE.format(chat_history=f"user: {HARD}", question=asked)
    pair.llm().complete(filled)
    pair.llm().complete(QUERY_GEN_PROMPT.format(num_queries=3, query=asked))
    assert pair.texts == [asked, asked]


@pytest.mark.parametrize("template", [DEFAULT_CONDENSE_PROMPT_TEMPLATE, QUERY_GEN_PROMPT])
def test_a_text_made_to_take_long_takes_no_time(template: str, pair: Routed):
    filled = template.replace("{chat_history}", "\n  Follow Up Input: " * 200_000)
    filled = filled.replace("{query}", "\nQuery: " * 200_000) + "not the end"
    began = time.thread_time()
    pair.llm().complete(filled)
    assert time.thread_time() - began < 5


def test_search_queries_are_written_for_the_question(pair: Routed):
    retriever = index().as_retriever()
    fusion = QueryFusionRetriever([retriever], llm=pair.llm(), num_queries=2, use_async=False)
    fusion.retrieve(EASY)
    assert pair.texts == [EASY]


def test_the_application_can_say_what_is_scored(pair: Routed):
    llm = pair.llm()
    with route_on(HARD):
        llm.complete(EASY)
        llm.chat([user(EASY)])
        llm.predict(PromptTemplate("{context_str}"), context_str=EASY)
    assert {decision.cause for decision in pair.decisions} == {"score"}
    llm.complete(EASY)
    assert pair.texts == [HARD, HARD, HARD, EASY]


async def test_the_application_can_say_so_for_async_streams(pair: Routed):
    llm = pair.llm()
    with route_on(HARD):
        stream = await llm.astream_chat([user(EASY)])
    assert [chunk async for chunk in stream]
    assert pair.answered() == {"strong": 1, "weak": 0}


@pytest.mark.parametrize(
    ("prompt", "settings"),
    [
        (f"<system-reminder>\nProve it.\n</system-reminder>\n{EASY}", {}),
        (f"Rules: prove it. ASK: {EASY}", {"extract": [r"ASK: (.*)"]}),
        (f"{EASY}\n\nRules: prove it.", {"ignore": [r"\n\nRules: .*"]}),
    ],
)
def test_what_is_not_the_humans_in_a_completion(
    pair: Routed, prompt: str, settings: dict[str, Any]
):
    assert pair.llm(**settings).complete(prompt).text.startswith("gpt-4o-mini ")
    assert pair.texts == [EASY]
