"""``routellm_threshold`` and the like, for one call."""

from __future__ import annotations

from typing import Any

import pytest
from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate

from routellm_core import ConfigError
from routellm_plugins.llama_index import RouteLLM
from tests.fakes.scripted import routers_of
from tests.llama_index.calls import TEMPLATE, TOOL, City, filled
from tests.llama_index.routed import HARD, Recording, Routed

# LlamaIndex's structured LLM uses it.
pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20")

ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "chat": ([ChatMessage(HARD)],),
    "complete": (HARD,),
    "chat_with_tools": ([TOOL], HARD),
    "predict_and_call": ([TOOL], HARD),
    "predict": (TEMPLATE,),
    "stream": (TEMPLATE,),
    "structured_predict": (City, TEMPLATE),
}


@pytest.mark.parametrize(
    ("method", "way"),
    [
        (method, way)
        for method in ARGUMENTS
        for way in ("", "a", "stream_", "astream_")
        if hasattr(RouteLLM, way + method)
    ],
)
async def test_a_call_can_have_a_threshold_of_its_own(method: str, way: str, pair: Routed):
    llm = pair.llm()
    args = ARGUMENTS[method]
    kwargs = filled(HARD) if TEMPLATE in args else {}
    for override in ({"routellm_threshold": 0.9}, {}):
        given = getattr(llm, way + method)(*args, **kwargs, **override)
        if way.startswith("a"):
            given = await given
        if way == "astream_" or (way, method) == ("a", "stream"):
            assert [chunk async for chunk in given]
        elif way == "stream_" or (way, method) == ("", "stream"):
            assert list(given)
    assert [(d.tier, d.threshold) for d in pair.decisions] == [("weak", 0.9), ("strong", 0.5)]
    assert [len(model.requests) for model in (pair.strong, pair.weak)] == [1, 1]
    assert "routellm" not in str(pair.weak.requests)


def test_a_structured_llm_hands_it_on(pair: Routed):
    llm = pair.llm().as_structured_llm(City)
    assert llm.complete(HARD, routellm_threshold=0.9).raw == City(name="example")
    assert pair.answered() == {"strong": 0, "weak": 1}


def test_options_of_the_caller_stay_as_they_are(pair: Routed):
    options = {"temperature": 0.7, "routellm_threshold": 0.9}
    pair.llm().structured_predict(City, TEMPLATE, options, **filled(HARD))
    assert options == {"temperature": 0.7, "routellm_threshold": 0.9}
    assert pair.weak.requests[0]["temperature"] == 0.7


def test_a_call_can_have_a_router_of_its_own(pair: Routed, plugin: Any):
    plugin(routers_of(other=lambda: Recording([])))
    llm = pair.llm()
    llm.complete(HARD, routellm_router="other")
    llm.complete(HARD, routellm_router="mf", routellm_strong_share=0.0)
    assert [(d.router, d.tier) for d in pair.decisions] == [("other", "strong"), ("mf", "weak")]
    assert pair.texts == []


def test_options_are_for_the_router_they_were_set_for(pair: Routed):
    llm = pair.llm(router="mf", threshold=0.9, router_options={"checkpoint": "mf"})
    llm.complete(HARD, routellm_router="recording")
    assert pair.texts == [HARD]


def test_no_value_overrides_nothing(pair: Routed):
    pair.llm().complete(HARD, routellm_threshold=None, routellm_router=None)
    assert pair.decisions[0].threshold == 0.5
    assert "routellm" not in str(pair.strong.requests)


def test_an_override_is_no_variable_of_a_template(pair: Routed):
    pair.llm().predict(PromptTemplate(HARD), routellm_threshold=0.9)
    assert pair.decisions[0].cause == "score"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            {"routellm_treshold": 0.3},
            "in 'routellm_treshold': did you mean 'threshold'?",
        ),
        (
            {"routellm_on_error": "weak"},
            "unknown setting 'on_error' in 'routellm_on_error': known:",
        ),
        ({"routellm_threshold": 2}, "'threshold' is 2: input should be less than or equal to 1"),
        ({"routellm_threshold": "high"}, "'threshold' is 'high'"),
        ({"routellm_threshold": 0.3, "routellm_strong_share": 0.3}, "keep one of them"),
        ({"routellm_strong_share": 0.3}, "never calibrated"),
        ({"routellm_router": "recordin"}, "did you mean 'recording'?"),
    ],
)
async def test_a_mistake_in_an_override_is_an_error(
    override: dict[str, Any], message: str, pair: Routed
):
    llm = pair.llm()
    with pytest.raises(ConfigError) as caught:
        llm.complete(HARD, **override)
    assert message in str(caught.value)
    with pytest.raises(ConfigError):
        await llm.acomplete(HARD, **override)
    assert pair.answered() == {"strong": 0, "weak": 0}
