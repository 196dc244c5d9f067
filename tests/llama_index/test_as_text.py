"""What is scored of LlamaIndex's prompts where they come as text alone, as to a proxy: the same as
where `RouteLLM` is given the template.
"""

from __future__ import annotations

import pytest
from llama_index.core.agent.utils import messages_to_xml_format
from llama_index.core.agent.workflow.prompts import DEFAULT_STATE_PROMPT
from llama_index.core.base.llms.types import ChatMessage, TextBlock
from llama_index.core.chat_engine.condense_plus_context import DEFAULT_CONDENSE_PROMPT_TEMPLATE
from llama_index.core.chat_engine.condense_question import DEFAULT_PROMPT as CONDENSE_QUESTION
from llama_index.core.extractors.metadata_extractors import (
    DEFAULT_EXTRACT_TEMPLATE_STR,
    DEFAULT_KEYWORD_EXTRACT_TEMPLATE,
    DEFAULT_QUESTION_GEN_TMPL,
    DEFAULT_SUMMARY_EXTRACT_TEMPLATE,
    DEFAULT_TITLE_COMBINE_TEMPLATE,
    DEFAULT_TITLE_NODE_TEMPLATE,
)
from llama_index.core.graph_stores.prompts import DEFAULT_CYPHER_TEMPALTE
from llama_index.core.indices.property_graph.sub_retrievers.llm_synonym import (
    DEFAULT_SYNONYM_EXPAND_TEMPLATE,
)
from llama_index.core.indices.property_graph.sub_retrievers.text_to_cypher import (
    DEFAULT_SUMMARY_TEMPLATE,
)
from llama_index.core.indices.query.query_transform.prompts import (
    DEFAULT_DECOMPOSE_QUERY_TRANSFORM_PROMPT,
    DEFAULT_STEP_DECOMPOSE_QUERY_TRANSFORM_PROMPT,
)
from llama_index.core.indices.struct_store.json_query import (
    DEFAULT_JSON_PATH_PROMPT,
)
from llama_index.core.indices.struct_store.json_query import (
    DEFAULT_RESPONSE_SYNTHESIS_PROMPT as JSON_RESPONSE,
)
from llama_index.core.indices.struct_store.sql_query import DEFAULT_RESPONSE_SYNTHESIS_PROMPT
from llama_index.core.indices.tree.select_leaf_retriever import (
    DEFAULT_QUERY_PROMPT,
    DEFAULT_QUERY_PROMPT_MULTIPLE,
)
from llama_index.core.indices.vector_store.retrievers.auto_retriever.prompts import (
    DEFAULT_VECTOR_STORE_QUERY_PROMPT,
)
from llama_index.core.memory.memory_blocks.fact import (
    DEFAULT_FACT_CONDENSE_PROMPT,
    DEFAULT_FACT_EXTRACT_PROMPT,
)
from llama_index.core.postprocessor.node import DEFAULT_INFER_PREV_NEXT_TMPL
from llama_index.core.prompts import BasePromptTemplate, PromptTemplate
from llama_index.core.prompts import default_prompts as defaults
from llama_index.core.prompts.chat_prompts import (
    CHAT_REFINE_PROMPT,
    CHAT_TEXT_QA_PROMPT,
    CHAT_TREE_SUMMARIZE_PROMPT,
)
from llama_index.core.query_engine.citation_query_engine import (
    CITATION_QA_TEMPLATE,
    CITATION_REFINE_TEMPLATE,
)
from llama_index.core.query_engine.knowledge_graph_query_engine import (
    DEFAULT_KG_RESPONSE_ANSWER_PROMPT,
)
from llama_index.core.query_engine.sql_join_query_engine import (
    DEFAULT_SQL_AUGMENT_TRANSFORM_PROMPT,
    DEFAULT_SQL_JOIN_SYNTHESIS_PROMPT,
)
from llama_index.core.question_gen.prompts import DEFAULT_SUB_QUESTION_PROMPT_TMPL
from llama_index.core.retrievers.fusion_retriever import QUERY_GEN_PROMPT
from llama_index.core.selectors import prompts as selectors

from routellm_core import human_turns
from routellm_core.prompt.side_calls import is_side_call
from tests.llama_index.routed import EASY

PAGE = "The reactor was built in 1987 and is proved to be safe. " * 20
PROOF = "Prove Theorem 4.\n\n1. By induction over n, where f(n) = n^2 - 1.\n2. By contradiction."
QUESTIONS = ("query_str", "query", "question", "msg")

STOP = (  # of LlamaIndex 0.14
    "You have reached the maximum number of iterations (20).\nBased on the information gathered so "
    "far, please provide a helpful final response to the user's original query."
)

ASKING: dict[str, BasePromptTemplate | str] = {
    "text_qa": defaults.DEFAULT_TEXT_QA_PROMPT,
    "text_qa, chat": CHAT_TEXT_QA_PROMPT,
    "refine": defaults.DEFAULT_REFINE_PROMPT,
    "refine, chat": CHAT_REFINE_PROMPT,
    "tree_summarize": defaults.DEFAULT_TREE_SUMMARIZE_PROMPT,
    "tree_summarize, chat": CHAT_TREE_SUMMARIZE_PROMPT,
    "citations": CITATION_QA_TEMPLATE,
    "citations, refine": CITATION_REFINE_TEMPLATE,
    "condense": CONDENSE_QUESTION,
    "condense plus context": DEFAULT_CONDENSE_PROMPT_TEMPLATE,
    "sub-questions": DEFAULT_SUB_QUESTION_PROMPT_TMPL,
    "decompose": DEFAULT_DECOMPOSE_QUERY_TRANSFORM_PROMPT,
    "decompose by steps": DEFAULT_STEP_DECOMPOSE_QUERY_TRANSFORM_PROMPT,
    "fusion": QUERY_GEN_PROMPT,
    "select": selectors.DEFAULT_SINGLE_SELECT_PROMPT,
    "select several": selectors.DEFAULT_MULTIPLE_SELECT_PROMPT,
    "select by a form": selectors.DEFAULT_SINGLE_PYD_SELECT_PROMPT_TMPL,
    "select a leaf": DEFAULT_QUERY_PROMPT,
    "select leaves": DEFAULT_QUERY_PROMPT_MULTIPLE,
    "choose documents": defaults.DEFAULT_CHOICE_SELECT_PROMPT,
    "before or after": DEFAULT_INFER_PREV_NEXT_TMPL,
    "filter": DEFAULT_VECTOR_STORE_QUERY_PROMPT,
    "keywords of a question": defaults.DEFAULT_QUERY_KEYWORD_EXTRACT_TEMPLATE,
    "synonyms": DEFAULT_SYNONYM_EXPAND_TEMPLATE,
    "SQL": defaults.DEFAULT_TEXT_TO_SQL_PROMPT,
    "SQL, pgvector": defaults.DEFAULT_TEXT_TO_SQL_PGVECTOR_PROMPT,
    "SQL, answer": DEFAULT_RESPONSE_SYNTHESIS_PROMPT,
    "SQL, joined": DEFAULT_SQL_JOIN_SYNTHESIS_PROMPT,
    "SQL, another query": DEFAULT_SQL_AUGMENT_TRANSFORM_PROMPT,
    "JSONalyze": defaults.DEFAULT_JSONALYZE_PROMPT,
    "JSON path": DEFAULT_JSON_PATH_PROMPT,
    "JSON, answer": JSON_RESPONSE,
    "Cypher": DEFAULT_CYPHER_TEMPALTE,
    "Cypher, answer": DEFAULT_SUMMARY_TEMPLATE,
    "graph, answer": DEFAULT_KG_RESPONSE_ANSWER_PROMPT,
    "state of an agent": DEFAULT_STATE_PROMPT,
}

SERVING: dict[str, BasePromptTemplate | str] = {
    "HyDE": defaults.DEFAULT_HYDE_PROMPT,
    "title": DEFAULT_TITLE_NODE_TEMPLATE,
    "title of all": DEFAULT_TITLE_COMBINE_TEMPLATE,
    "keywords": DEFAULT_KEYWORD_EXTRACT_TEMPLATE,
    "questions": DEFAULT_QUESTION_GEN_TMPL,
    "summary": DEFAULT_SUMMARY_EXTRACT_TEMPLATE,
    "a form": DEFAULT_EXTRACT_TEMPLATE_STR,
    "keyword table": defaults.DEFAULT_KEYWORD_EXTRACT_TEMPLATE,
    "tree": defaults.DEFAULT_SUMMARY_PROMPT,
    "tree, insert": defaults.DEFAULT_INSERT_PROMPT,
    "triplets": defaults.DEFAULT_KG_TRIPLET_EXTRACT_PROMPT,
    "triplets with types": defaults.DEFAULT_DYNAMIC_EXTRACT_PROMPT,
    "fields": defaults.DEFAULT_SCHEMA_EXTRACT_PROMPT,
}


def as_sent(template: BasePromptTemplate | str, question: str) -> list[dict[str, str]]:
    """Return the messages that LlamaIndex makes of a template, as a provider is sent them."""
    prompt = PromptTemplate(template) if isinstance(template, str) else template
    values = {key: question if key in QUESTIONS else PAGE for key in prompt.template_vars}
    messages = prompt.format_messages(**values)
    return [{"role": message.role.value, "content": message.content or ""} for message in messages]


@pytest.mark.parametrize("question", [EASY, PROOF])
@pytest.mark.parametrize("name", ASKING)
def test_the_question_alone_is_scored(name: str, question: str):
    sent = as_sent(ASKING[name], question)
    assert not is_side_call(sent)
    assert human_turns(sent) == (question,)


@pytest.mark.parametrize("name", SERVING)
def test_indexing_serves_the_application(name: str):
    assert is_side_call(as_sent(SERVING[name], EASY))


@pytest.mark.parametrize("join", ["", "\n"])
def test_the_conversation_of_an_agent_whose_answer_is_to_have_a_form(join: str):
    talk = [ChatMessage(PROOF), ChatMessage("Done.", role="assistant"), ChatMessage(EASY)]
    sent = messages_to_xml_format(talk)
    texts = [[b.text for b in each.blocks if isinstance(b, TextBlock)] for each in sent]
    assert human_turns([{"role": "user", "content": join.join(each)} for each in texts]) == (EASY,)


def test_an_agent_that_has_to_stop_is_judged_by_its_task():
    talk = [
        {"role": "user", "content": PROOF},
        {"role": "assistant", "content": "Thought: I need a tool."},
        {"role": "user", "content": STOP},
    ]
    assert human_turns(talk) == (PROOF,)


@pytest.mark.parametrize("template", [DEFAULT_FACT_EXTRACT_PROMPT, DEFAULT_FACT_CONDENSE_PROMPT])
def test_the_memory_of_a_conversation_serves_the_application(template: BasePromptTemplate):
    talk = [{"role": "user", "content": PROOF}, {"role": "assistant", "content": "Done."}]
    assert is_side_call([*talk, *as_sent(template, EASY)])
    assert not is_side_call([*as_sent(template, EASY), *talk])
