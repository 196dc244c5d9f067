"""Query engines: a question is scored once, whatever is retrieved for it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from llama_index.core import QueryBundle, Settings, get_response_synthesizer
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.evaluation import (
    AnswerRelevancyEvaluator,
    ContextRelevancyEvaluator,
    CorrectnessEvaluator,
    GuidelineEvaluator,
    PairwiseComparisonEvaluator,
    RelevancyEvaluator,
)
from llama_index.core.instrumentation.events.llm import LLMChatEndEvent, LLMChatStartEvent
from llama_index.core.node_parser import TokenTextSplitter
from llama_index.core.postprocessor import LLMRerank, StructuredLLMRerank
from llama_index.core.postprocessor.rankGPT_rerank import RankGPTRerank
from llama_index.core.query_engine import (
    CitationQueryEngine,
    RouterQueryEngine,
    SubQuestionQueryEngine,
)
from llama_index.core.question_gen import LLMQuestionGenerator
from llama_index.core.response_synthesizers import ResponseMode
from llama_index.core.selectors import LLMSingleSelector, PydanticSingleSelector
from llama_index.core.tools import QueryEngineTool
from pydantic import BaseModel

from routellm_plugins.llama_index import RouteDecisionEvent, route_on
from tests.llama_index.recorded import Recorder
from tests.llama_index.routed import EASY, HARD, TIER, Routed, index

REFINING = ["refine", "compact", "tree_summarize"]
ACCUMULATING = ["accumulate", "compact_accumulate"]
STREAMING = [*REFINING, "simple_summarize", "generation"]
MODES = [*STREAMING, *ACCUMULATING]


class City(BaseModel):
    """A city."""

    name: str


@pytest.fixture
def global_settings() -> Iterator[None]:
    kept = Settings._llm, Settings._callback_manager
    yield
    Settings._llm, Settings._callback_manager = kept


def nothing_but(tier: str, pair: Routed) -> bool:
    """Whether only this tier was asked since this was last called."""
    counts = pair.answered()
    return counts.pop(tier) > 0 and not any(counts.values())


def conversations(requests: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps([r["messages"], r.get("stream")], sort_keys=True) for r in requests)


def test_all_response_modes_that_ask_a_model_are_here():
    assert {*MODES, "no_text", "context_only"} == {mode.value for mode in ResponseMode}


@pytest.mark.parametrize("question", [EASY, HARD])
@pytest.mark.parametrize("mode", MODES)
def test_the_question_alone_is_scored(mode: str, question: str, pair: Routed):
    engine = index().as_query_engine(llm=pair.llm(), response_mode=mode, similarity_top_k=3)
    assert pair.model(TIER[question]).model in str(engine.query(question))
    assert set(pair.texts) == {question}
    assert nothing_but(TIER[question], pair)


@pytest.mark.parametrize("mode", MODES)
async def test_async_the_question_alone_is_scored(mode: str, pair: Routed):
    engine = index().as_query_engine(llm=pair.llm(), response_mode=mode, similarity_top_k=3)
    for question in (EASY, HARD):
        assert pair.model(TIER[question]).model in str(await engine.aquery(question))
        assert nothing_but(TIER[question], pair)
    assert set(pair.texts) == {EASY, HARD}


async def test_questions_asked_at_the_same_time_keep_their_decisions(pair: Routed):
    engine = index(1).as_query_engine(llm=pair.llm())
    questions = [EASY, HARD] * 4
    answers = await asyncio.gather(*map(engine.aquery, questions))
    expected = [pair.model(TIER[question]).model for question in questions]
    assert [str(answer).split(" ")[0] for answer in answers] == expected
    assert pair.answered() == {"strong": 4, "weak": 4}


@pytest.mark.parametrize("mode", STREAMING)
def test_streaming_the_question_alone_is_scored(mode: str, pair: Routed):
    engine = index().as_query_engine(
        llm=pair.llm(), response_mode=mode, similarity_top_k=3, streaming=True
    )
    for question in (EASY, HARD):
        tokens = list(engine.query(question).response_gen)
        assert len(tokens) > 5
        assert pair.model(TIER[question]).model in "".join(tokens)
        assert nothing_but(TIER[question], pair)
    assert set(pair.texts) == {EASY, HARD}


@pytest.mark.parametrize("mode", STREAMING)
async def test_async_streaming_the_question_alone_is_scored(mode: str, pair: Routed):
    engine = index().as_query_engine(
        llm=pair.llm(), response_mode=mode, similarity_top_k=3, streaming=True
    )
    for question in (EASY, HARD):
        response = await engine.aquery(question)
        tokens = [token async for token in response.async_response_gen()]
        assert len(tokens) > 5
        assert pair.model(TIER[question]).model in "".join(tokens)
        assert nothing_but(TIER[question], pair)
    assert set(pair.texts) == {EASY, HARD}


@pytest.mark.parametrize("mode", [*REFINING, *ACCUMULATING])
def test_a_typed_answer_is_the_chosen_models(mode: str, pair: Routed):
    engine = index().as_query_engine(
        llm=pair.llm(), response_mode=mode, similarity_top_k=3, output_cls=City
    )
    for question in (EASY, HARD):
        assert "example" in str(engine.query(question))
        assert nothing_but(TIER[question], pair)
    assert set(pair.texts) == {EASY, HARD}


@pytest.mark.usefixtures("global_settings")
@pytest.mark.parametrize("mode", ["no_text", "context_only"])
def test_modes_that_ask_no_model_decide_nothing(mode: str, pair: Routed):
    Settings.llm = pair.llm()
    index().as_query_engine(response_mode=mode).query(HARD)
    assert pair.decisions == []


@pytest.mark.parametrize("mode", MODES)
def test_the_model_is_sent_what_it_is_sent_without_routing(mode: str, pair: Routed):
    nodes = index().as_retriever(similarity_top_k=3).retrieve(HARD)
    sent = []
    for llm in (pair.bare("strong"), pair.llm()):
        get_response_synthesizer(llm=llm, response_mode=mode).synthesize(HARD, nodes)
        sent.append(conversations(pair.strong.requests))
        pair.forget()
    assert sent[0] == sent[1] != []


RANKERS = {
    "LLMRerank": (LLMRerank, "Doc: 2, Relevance: 9"),
    "StructuredLLMRerank": (
        StructuredLLMRerank,
        ("DocumentRelevanceList", {"documents": [{"document_number": 2, "relevance": 9}]}),
    ),
}


@pytest.mark.parametrize("ranker", RANKERS)
@pytest.mark.parametrize("question", [EASY, HARD])
def test_reranking_and_the_answer_are_one_decision(ranker: str, question: str, pair: Routed):
    kind, reply = RANKERS[ranker]
    pair.reply({f"Question: {question}": reply})
    llm = pair.llm()
    engine = index().as_query_engine(
        llm=llm, similarity_top_k=3, node_postprocessors=[kind(llm=llm, top_n=1)]
    )
    response = engine.query(question)
    assert [node.text[:7] for node in response.source_nodes] == ["Chunk 1"]
    assert set(pair.texts) == {question}
    assert nothing_but(TIER[question], pair)


@pytest.mark.parametrize("question", [EASY, HARD])
def test_a_router_query_engine_is_one_decision(question: str, pair: Routed):
    pair.reply({"choices are given below": '[{"choice": 1, "reason": "there is no other"}]'})
    llm = pair.llm()
    tool = QueryEngineTool.from_defaults(index().as_query_engine(llm=llm), description="docs")
    engine = RouterQueryEngine(
        LLMSingleSelector.from_defaults(llm=llm), [tool], llm=llm, verbose=False
    )
    engine.query(question)
    assert set(pair.texts) == {question}
    assert nothing_but(TIER[question], pair)


def test_the_question_is_found_in_a_prompt_that_an_engine_formats_itself(pair: Routed):
    pair.reply({"choices are given below": ("SingleSelection", {"index": 1, "reason": "so"})})
    llm = pair.llm()
    tool = QueryEngineTool.from_defaults(index(1).as_query_engine(llm=llm), description="Prove it")
    engine = RouterQueryEngine(
        PydanticSingleSelector.from_defaults(llm=llm), [tool], llm=llm, verbose=False
    )
    engine.query(EASY)
    assert set(pair.texts) == {EASY}
    assert pair.answered() == {"strong": 0, "weak": 2}


@pytest.mark.parametrize("streaming", [False, True])
def test_route_on_holds_for_all_that_an_engine_calls(streaming: bool, pair: Routed):
    engine = index().as_query_engine(llm=pair.llm(), similarity_top_k=3, streaming=streaming)
    with route_on(EASY):
        str(engine.query(HARD))
    assert set(pair.texts) == {EASY}
    assert nothing_but("weak", pair)


def test_sub_questions_are_routed_each_by_its_own_words(pair: Routed):
    sub_questions = {"items": [{"sub_question": EASY, "tool_name": "docs"}]}
    pair.reply({"# Example": f"```json\n{json.dumps(sub_questions)}\n```"})
    llm = pair.llm()
    tool = QueryEngineTool.from_defaults(
        index(1).as_query_engine(llm=llm), name="docs", description="docs"
    )
    engine = SubQuestionQueryEngine.from_defaults(
        [tool],
        llm=llm,
        question_gen=LLMQuestionGenerator.from_defaults(llm=llm),
        verbose=False,
        use_async=False,
    )
    engine.query(HARD)
    assert pair.texts == [HARD, EASY, HARD]
    assert pair.answered() == {"strong": 2, "weak": 1}


def test_citations_are_one_decision(pair: Routed):
    # LlamaIndex's default splitter takes seconds to import.
    splitter = TokenTextSplitter(chunk_size=512)
    engine = CitationQueryEngine.from_args(
        index(), llm=pair.llm(), similarity_top_k=2, text_splitter=splitter
    )
    engine.query(EASY)
    assert set(pair.texts) == {EASY}
    assert nothing_but("weak", pair)


@pytest.mark.usefixtures("global_settings")
def test_as_the_global_llm(pair: Routed):
    Settings.llm = pair.llm()
    engine = index().as_query_engine()
    assert "gpt-4o here" in str(engine.query(HARD))
    assert "gpt-4o-mini here" in str(engine.query(EASY))


@pytest.mark.usefixtures("global_settings")
@pytest.mark.parametrize("late", [False, True], ids=["early", "late"])
@pytest.mark.parametrize("question", [EASY, HARD])
def test_tokens_are_counted_as_without_routing(question: str, late: bool, pair: Routed):
    counts = []
    for llm in (pair.bare(TIER[question]), pair.llm()):
        handler = TokenCountingHandler()
        if late:
            engine = index().as_query_engine(llm=llm, response_mode="refine", similarity_top_k=3)
            llm.callback_manager = CallbackManager([handler])
        else:
            Settings.callback_manager = CallbackManager([handler])
            engine = index().as_query_engine(llm=llm, response_mode="refine", similarity_top_k=3)
        engine.query(question)
        counts.append(
            [(e.prompt_token_count, e.completion_token_count) for e in handler.llm_token_counts]
        )
    assert counts[0] == counts[1]
    assert len(counts[1]) == 3


@pytest.mark.usefixtures("global_settings")
def test_a_callback_manager_set_in_settings_after_the_llm_counts(pair: Routed):
    Settings.llm = pair.llm()
    handler = TokenCountingHandler()
    Settings.callback_manager = CallbackManager([handler])
    index(1).as_query_engine().query(EASY)
    assert len(handler.llm_token_counts) == 1


@pytest.mark.parametrize("question", [EASY, HARD])
def test_events_come_once_and_name_the_model_that_answered(
    question: str, pair: Routed, recorder: Recorder
):
    index(1).as_query_engine(llm=pair.llm()).query(question)
    (start,) = recorder.events(LLMChatStartEvent)
    (end,) = recorder.events(LLMChatEndEvent)
    (decision,) = recorder.events(RouteDecisionEvent)
    assert pair.model(TIER[question]).model in start.model_dict.values()
    assert end.response.raw.model == pair.model(TIER[question]).model
    assert decision.tier == TIER[question]


EVALUATORS = {
    evaluator.__name__: evaluator
    for evaluator in (
        AnswerRelevancyEvaluator,
        ContextRelevancyEvaluator,
        CorrectnessEvaluator,
        GuidelineEvaluator,
        PairwiseComparisonEvaluator,
        RelevancyEvaluator,
    )
}


@pytest.mark.parametrize("evaluator", EVALUATORS)
@pytest.mark.parametrize("question", TIER)
async def test_an_answer_is_judged_where_its_question_goes(
    question: str, evaluator: str, pair: Routed
):
    pair.reply({"": '{"passing": true, "feedback": "[[A]]"}\n[RESULT] 1'})
    answers = {"response": "I prove it. " * 99, "second_response": "So.", "reference": "Prove it."}
    judge: Any = EVALUATORS[evaluator](llm=pair.llm())
    with contextlib.suppress(ValueError):  # of what makes a number of that answer
        await judge.aevaluate(query=question, contexts=["Prove that. " * 99] * 2, **answers)
    assert set(pair.texts) == {question}
    assert nothing_but(TIER[question], pair)


@pytest.mark.parametrize("question", TIER)
def test_rank_gpt_is_routed_by_the_question(question: str, pair: Routed):
    pair.reply({"Search Query": "[2] > [1] > [3]"})
    nodes = index().as_retriever(similarity_top_k=3).retrieve(question)
    RankGPTRerank(llm=pair.llm(), top_n=1).postprocess_nodes(nodes, QueryBundle(question))
    assert pair.texts == [question]
    assert [decision.tier for decision in pair.decisions] == [TIER[question]]
