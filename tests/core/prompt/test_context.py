"""The question is found in prompts that applications fill with context, and nothing else is."""

from __future__ import annotations

import time

import pytest

from routellm_core import human_turns
from routellm_core.prompt.context import OWN_WORDS
from routellm_core.prompt.side_calls import is_side_call
from tests.fakes.filled_prompts import FILLED, filled

EASY = "What is the capital of France, in one word?"
LONG = "Prove Theorem 4.\n\n1. By induction over n, where f(n) = n^2 - 1.\n2. By contradiction."
PAGE = "The reactor was built in 1987 and is proved to be safe. " * 20
FAQ = (
    f"{PAGE}\n\nQuestion: How do I reset my password?\nAnswer: Follow the link.\n\n"
    f"Query: none\nAnswer: none\n\n{PAGE}"
)


def user(content):
    return {"role": "user", "content": content}


@pytest.mark.parametrize("context", [PAGE, FAQ], ids=["page", "page with questions"])
@pytest.mark.parametrize("question", [EASY, LONG])
@pytest.mark.parametrize("name", FILLED)
def test_the_question_alone_is_scored(name, question, context):
    assert human_turns([user(filled(name, question, context))]) == (question,)


@pytest.mark.parametrize("name", FILLED)
def test_also_in_a_conversation_and_in_parts(name):
    first, second = (filled(name, question, PAGE) for question in (LONG, EASY))
    before, _, after = second.partition(EASY)
    parts = [{"type": "text", "text": text} for text in (before + EASY, after) if text.strip()]
    talk = [user(first), {"role": "assistant", "content": "Done."}, user(parts)]
    assert human_turns(talk) == (LONG, EASY)


def test_the_question_of_a_chain_that_refines_an_answer_in_a_conversation():
    answer = {"role": "assistant", "content": "Paris."}
    refine = (
        "We have the opportunity to refine the existing answer (only if needed) with some more "
        f"context below.\n------------\n{PAGE}\n------------\nGiven the new context, refine the "
        "original answer to better answer the question."
    )
    assert human_turns([user(EASY), answer, user(refine)]) == (EASY,)


def test_documents_in_parts_before_the_question():
    pages = [f"<documents>\n{PAGE}\n</documents>", f"<file name='a'>\n{PAGE}\n</file>", EASY]
    parts = [{"type": "text", "text": text} for text in pages]
    assert human_turns([user(parts)]) == (EASY,)


@pytest.mark.parametrize("context", [PAGE, f"{PAGE}\n\n{PAGE}"], ids=["a line", "lines"])
@pytest.mark.parametrize(
    "prompt",
    [
        "Context: {c} Question: {q}",
        "Context:\n{c} Question: {q} Answer:",
        "Question: {q} Context: {c} Answer:",
        "Documents: {c} Query: {q}",
        "Answer by the context. Context: {c} Question: {q} Answer:",
        "Answer by the context.\nContext: {c} Question: {q}",
    ],
)
def test_labels_within_lines(prompt, context):
    text = prompt.replace("{c}", context).replace("{q}", EASY)
    assert human_turns([user(text)]) == (EASY,)


RAG = """class Filled(BaseModel):
    question: str
    context: str

TEMPLATE = '''Answer the question based only on the following context.
Question: {question}
Context: {context}
Answer:'''
"""


@pytest.mark.parametrize(
    "text",
    [
        f"{PAGE}\n\n{EASY}",
        f"Question: {EASY} {PAGE}",
        f"{PAGE}\nContext: none. Question: why?",
        f"{FAQ}\n\nAdd two questions to this page.",
        f"Use the following documents to answer.\n{FAQ}\n\nAdd two questions to this page.",
        f"{RAG}{PAGE}\nWhy does this fail?",
        f"Why does this fail?\n{PAGE}\n{RAG}",
        f"{PAGE}\nquestion: str\ncontext: str",
        f"<article>{PAGE}</article>\nShorten it.",
        f"How does <context> differ from {PAGE} </context> in this?",
        f"Context: {PAGE}\nQuestion: Is that so?",
        f"Context: {PAGE} Question: Is that so?",
        f"Context: {PAGE} Question: How? Answer: So. {PAGE} Question: {EASY}",
        f"Context: {PAGE} Question: How? Answer: So. {PAGE}",
        "Context: we run Postgres with 3 TB of data. Question: How do we add a shard?",
        # As short as this, the context may be the human's own.
        "Context: we run Postgres with 3 TB of data.\nQuestion: How do we add a shard?",
        "<context>We run Postgres with 3 TB of data.</context>\nHow do we add a shard?",
    ],
)
def test_what_is_not_certain_stays(text):
    assert human_turns([user(text)]) == (text,)


@pytest.mark.parametrize(
    "tag", ["user_question", "user_query", "customer-question", "problem_statement", "math_problem"]
)
def test_tags_of_the_humans_words(tag):
    assert human_turns([user(f"<{tag}>\n{LONG}\n</{tag}>")]) == (LONG,)


def test_short_contexts_and_questions_count_where_the_prompt_says_what_it_is():
    for name in ("LangChain hub, rag-prompt", "LlamaIndex, text_qa", "Haystack", "Open WebUI"):
        assert human_turns([user(filled(name, "Why?", PAGE))]) == ("Why?",)
        prompt = filled(name, EASY, "Paris is large.")
        assert len(prompt) < OWN_WORDS
        assert human_turns([user(prompt)]) == (EASY,)


@pytest.mark.parametrize(
    "prompt",
    [
        "You are a grader assessing relevance of a retrieved document to a user question. \n Here "
        f"is the retrieved document: \n\n {PAGE} \n\nHere is the user question: {LONG} \n",
        "Look at the input and try to reason about the underlying semantic intent / meaning.\nHere "
        f"is the initial question:\n ------- \n{LONG}\n ------- \nFormulate an improved question:",
    ],
)
def test_steps_of_langgraphs_retrieval_serve_the_application(prompt):
    assert is_side_call([user(prompt)])


@pytest.mark.parametrize("start", ["", "Question: x\n", "<documents>\n", *FILLED.values()])
def test_takes_linear_time(start):
    for part in ("Question:\n", "Context:\n---\n", "## ", "The the ", "<document>\n", "</context>"):
        text = start + part * (100_000 // len(part)) + "x"
        begun = time.process_time()
        human_turns([user(text)])
        assert time.process_time() - begun < 2.0  # a quadratic one takes minutes
