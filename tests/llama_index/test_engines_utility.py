"""Calls that hold no question (extraction, indexing, HyDE) go where `utility` says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core import (
    DocumentSummaryIndex,
    KeywordTableIndex,
    MockEmbedding,
    PromptTemplate,
    SummaryIndex,
    TreeIndex,
)
from llama_index.core.extractors import (
    KeywordExtractor,
    QuestionsAnsweredExtractor,
    SummaryExtractor,
    TitleExtractor,
)
from llama_index.core.indices.query.query_transform import HyDEQueryTransform
from llama_index.core.query_engine import TransformQueryEngine
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode

from tests.llama_index.routed import EASY, HARD, Routed, index

NODES = [TextNode(text=f"Chunk {i} says: prove it.") for i in range(4)]
OF_ONE_DOCUMENT = {NodeRelationship.SOURCE: RelatedNodeInfo(node_id="document")}

UTILITIES: dict[str, Callable[[Any], object]] = {
    "TitleExtractor": lambda llm: TitleExtractor(llm=llm, show_progress=False).extract(NODES),
    "SummaryExtractor": lambda llm: SummaryExtractor(llm=llm, show_progress=False).extract(NODES),
    "KeywordExtractor": lambda llm: KeywordExtractor(llm=llm, show_progress=False).extract(NODES),
    "QuestionsAnsweredExtractor": lambda llm: QuestionsAnsweredExtractor(
        llm=llm, show_progress=False
    ).extract(NODES),
    "KeywordTableIndex": lambda llm: KeywordTableIndex(NODES, llm=llm),
    "TreeIndex": lambda llm: TreeIndex(NODES, llm=llm, num_children=2),
    "HyDE": lambda llm: HyDEQueryTransform(llm=llm).run(HARD),
}


@pytest.mark.parametrize(
    ("settings", "tier"),
    [({}, "weak"), ({"utility": "weak"}, "weak"), ({"utility": "strong"}, "strong")],
)
@pytest.mark.parametrize("name", UTILITIES)
def test_a_call_without_a_question_is_not_scored(
    name: str, settings: dict[str, Any], tier: str, pair: Routed
):
    UTILITIES[name](pair.llm(**settings))
    assert pair.texts == []
    assert {decision.cause for decision in pair.decisions} == {"utility"}
    assert pair.answered()[tier] == len(pair.decisions) > 0


@pytest.mark.parametrize("name", UTILITIES)
def test_it_is_scored_whole_if_so_wanted(name: str, pair: Routed):
    UTILITIES[name](pair.llm(utility="score"))
    assert len(pair.texts) > 0
    assert all("prove" in text.lower() and len(text) > 60 for text in pair.texts[:1])
    assert {decision.cause for decision in pair.decisions} == {"score"}


def test_a_document_summary_is_routed_by_what_it_is_asked_for(pair: Routed):
    nodes = [TextNode(text=node.text, relationships=OF_ONE_DOCUMENT) for node in NODES]
    DocumentSummaryIndex(
        nodes, llm=pair.llm(), embed_model=MockEmbedding(embed_dim=8), summary_query=EASY
    )
    assert set(pair.texts) == {EASY}
    assert pair.answered()["strong"] == 0


def test_hyde_before_a_query_leaves_the_answer_to_the_question(pair: Routed):
    llm = pair.llm()
    engine = TransformQueryEngine(index(1).as_query_engine(llm=llm), HyDEQueryTransform(llm=llm))
    engine.query(HARD)
    assert pair.texts == [HARD]
    assert pair.answered() == {"strong": 1, "weak": 1}


def test_asking_a_keyword_table_is_one_decision(pair: Routed):
    engine = KeywordTableIndex(NODES, llm=pair.llm()).as_query_engine(llm=pair.llm())
    pair.answered()
    engine.query(EASY)
    assert set(pair.texts) == {EASY}
    assert pair.answered()["strong"] == 0


def test_a_template_of_ones_own_names_its_question(pair: Routed):
    template = PromptTemplate("{background}\nWhat the customer wants: {wish}")
    llm = pair.llm(query_keys=("wish",))
    assert llm.predict(template, background="Prove it", wish=EASY).startswith("gpt-4o-mini here")
    assert pair.texts == [EASY]


def test_an_index_without_an_llm_of_its_own_asks_the_question(pair: Routed):
    engine = SummaryIndex(NODES).as_query_engine(llm=pair.llm(), response_mode="compact")
    assert str(engine.query(EASY)).startswith("gpt-4o-mini here")
