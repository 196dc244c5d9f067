"""Prices that nobody wrote come from LiteLLM's table, by the names of the models at hand."""

from __future__ import annotations

import pytest

pytest.importorskip("litellm")

from langchain_openai import ChatOpenAI
from llama_index.llms.openai_like import OpenAILike

from routellm_core import RoutingPolicy
from routellm_plugins.langchain import ChatRouteLLM
from routellm_plugins.litellm.config.report import check_config
from routellm_plugins.llama_index import RouteLLM

NAMES = ("gpt-4o", "gpt-4o-mini")


def expected() -> float:
    """The weak model costs .06 of the strong one at these prices, whatever is read and written."""
    prices = {"strong_price": [2.5, 10], "weak_price": [0.15, 0.6]}
    policy = RoutingPolicy("mf", saving=0.47, **prices)
    assert policy.threshold == RoutingPolicy("mf", strong_share=0.5).threshold
    return policy.threshold


def test_of_names_in_the_settings():
    policy = RoutingPolicy("mf", saving=0.47, strong_price="gpt-4o", weak_price="gpt-4o-mini")
    assert policy.threshold == pytest.approx(expected())


def test_in_langchain():
    models = (ChatOpenAI(model=name, api_key="unused") for name in NAMES)
    llm = ChatRouteLLM(*models, saving=0.47)
    assert llm._settings().strong_price == "gpt-4o"
    assert llm.strong_price is None
    assert float(llm._route_name.rpartition("-")[2]) == pytest.approx(expected(), abs=1e-4)


def test_in_llama_index():
    llms = (OpenAILike(model=name, api_key="unused", is_chat_model=True) for name in NAMES)
    assert RouteLLM(*llms, saving=0.47).threshold == pytest.approx(expected())


def entry(name: str, **params: object) -> dict[str, object]:
    return {"model_name": name, "litellm_params": params}


@pytest.mark.parametrize(
    "groups",
    [
        (entry("good", model="openai/gpt-4o"), entry("cheap", model="openai/gpt-4o-mini")),
        (
            entry(
                "good", model="openai/a", input_cost_per_token=2.5e-6, output_cost_per_token=1e-5
            ),
            {
                **entry("cheap", model="openai/b"),
                "model_info": {"input_cost_per_token": 1.5e-7, "output_cost_per_token": 6e-7},
            },
        ),
        (
            entry("good", model="azure/mine", base_model="gpt-4o"),
            entry("cheap", model="gpt-4o-mini"),
        ),
    ],
    ids=["by model", "custom prices", "by base model"],
)
def test_in_litellm(groups):
    routed = {
        **entry("support", model="openai/routellm", api_key="unused"),
        "model_info": {"routellm": {"strong": "good", "weak": "cheap", "saving": 0.47}},
    }
    report = check_config({"model_list": [*groups, routed]})
    assert report.problems == []
    ((_, policy),) = report.routes
    assert policy is not None
    assert policy.threshold == pytest.approx(expected())


def test_a_model_without_a_price_is_told_before_traffic():
    routed = {
        **entry("support", model="openai/routellm", api_key="unused"),
        "model_info": {"routellm": {"strong": "good", "weak": "cheap", "saving": 0.47}},
    }
    groups = (entry("good", model="openai/mine"), entry("cheap", model="openai/gpt-4o-mini"))
    (problem,) = check_config({"model_list": [*groups, routed]}).problems
    assert "has no price for 'openai/mine'" in problem
    assert "strong_price: [2.5, 10]" in problem


def test_a_price_of_one_token_is_told_before_traffic():
    settings = {
        **{"strong": "good", "weak": "cheap", "saving": 0.47},
        **{"strong_price": [2.5e-6, 1e-5], "weak_price": [0.15, 0.6]},
    }
    routed = {
        **entry("support", model="openai/routellm", api_key="unused"),
        "model_info": {"routellm": settings},
    }
    groups = (entry("good", model="openai/mine"), entry("cheap", model="openai/gpt-4o-mini"))
    (problem,) = check_config({"model_list": [*groups, routed]}).problems
    assert "for one token: write those for a million, 2.5,10" in problem
