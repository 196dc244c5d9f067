"""What each bundled router tells of a question that stands before or after a long document."""

from __future__ import annotations

import pytest

from routellm_core import load_router

DOCUMENT = (
    "The committee met on the first Monday of the month. It heard reports from the treasurer and "
    "the secretary, and it agreed to repair the roof of the hall before the winter. "
) * 150
QUESTIONS = (
    "When did the committee meet?",
    "Prove that every continuous function on a compact metric space is uniformly continuous.",
)
PLACES = {
    "after": "Use the context to answer.\n\nContext:\n{document}\n\nQuestion: {question}",
    "before": "{question}\n\nContext:\n{document}",
}


def told(router: str, place: str) -> tuple[float, float]:
    easy, hard = load_router(router).score(
        [PLACES[place].format(document=DOCUMENT, question=question) for question in QUESTIONS]
    )
    return easy, hard


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("router", ["mf", "sw_ranking", "bert", "causal_llm"])
def test_the_question_is_read(router: str, place: str) -> None:
    easy, hard = told(router, place)
    assert hard != easy


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("router", ["mf", "sw_ranking", "bert"])
def test_the_harder_question_is_above(router: str, place: str) -> None:
    easy, hard = told(router, place)
    assert hard > easy
