"""A mistake raises an error when a RouteLLM is made, with what to write instead."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from llama_index.core.llms import LLMMetadata, MockLLM
from llama_index.llms.openai_like import OpenAILike

from routellm_core import CheckpointError, ConfigError
from routellm_plugins.llama_index import RouteLLM


def gpt(model: str, **settings: Any) -> OpenAILike:
    return OpenAILike(model=model, api_base="http://127.0.0.1:9/v1", api_key="k", **settings)


def make(**given: Any) -> RouteLLM:
    return RouteLLM(
        **{"strong": gpt("gpt-4o"), "weak": gpt("gpt-4o-mini"), "threshold": 0.5, **given}
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"treshold": 0.3}, "unknown key 'treshold': did you mean 'threshold'?"),
        ({"strong_share": 0.3}, "both 'threshold' and 'strong_share' are set"),
        ({"threshold": None}, "write strong_share: 0.3"),
        ({"threshold": 1.5}, "'threshold' is 1.5"),
        ({"router": "randm"}, "no router named 'randm': did you mean 'random'?"),
        ({"utility": "cheap"}, "'utility' is 'cheap'"),
        ({"query_keys": "query_str"}, "'query_keys' is 'query_str'"),
        ({"on_error": "fail"}, "'on_error' is 'fail'"),
        ({"temperature": 0.3}, "unknown key 'temperature'"),
        ({"system_prompt": "Be brief."}, "'system_prompt' is a setting of the models: set it on"),
        (
            {"strong": "gpt-4o"},
            "'strong' is 'gpt-4o', which is not a LlamaIndex LLM: write strong=",
        ),
        ({"weak": None}, "'weak' is of type NoneType, which is not a LlamaIndex LLM: write weak="),
        ({"weak": gpt("gpt-4o")}, "'strong' and 'weak' are the same model 'gpt-4o'"),
    ],
)
def test_a_mistake_is_an_error(given: dict[str, Any], message: str):
    with pytest.raises(ConfigError) as caught:
        make(**given)
    assert message in str(caught.value)


def test_a_smaller_model_as_the_strong_one_is_warned_of(caplog: pytest.LogCaptureFixture):
    make(strong=gpt("gpt-4o-mini"), weak=gpt("gpt-4o"))
    assert "'strong' ('gpt-4o-mini') is a smaller version of 'weak' ('gpt-4o')" in caplog.text


@pytest.mark.parametrize("name", ["strong", "weak", "settings", "threshold", "temperature"])
def test_what_would_not_be_obeyed_cannot_be_assigned(name: str):
    llm = make()
    with pytest.raises((ValueError, AttributeError), match=name):
        setattr(llm, name, 0.3)


def test_one_llm_twice_is_a_mistake():
    llm = MockLLM()
    with pytest.raises(ConfigError, match="are the same model: name two models"):
        make(strong=llm, weak=llm)


def test_a_router_of_routers_is_a_mistake():
    with pytest.raises(ConfigError, match="'weak' is a RouteLLM itself"):
        make(weak=make())


def test_one_model_at_two_places_is_no_mistake():
    elsewhere = OpenAILike(model="gpt-4o", api_base="http://127.0.0.1:10/v1", api_key="k")
    assert make(weak=elsewhere).weak is elsewhere


def test_a_missing_checkpoint_is_an_error_before_traffic():
    with pytest.raises(CheckpointError):
        make(router_options={"checkpoint": "/no/such/folder"})


def test_tools_for_a_model_without_are_a_mistake():
    llm = make(weak=MockLLM(max_tokens=3), strong=MockLLM(max_tokens=2))
    assert not llm.metadata.is_function_calling_model
    with pytest.raises(ConfigError, match="MockLLM takes no tools"):
        llm.chat_with_tools([], "question")


@pytest.mark.parametrize(
    "lacking",
    [
        'sys.modules["llama_index"] = None',
        "from llama_index.core.llms import structured_llm; del structured_llm.StructuredLLM",
    ],
    ids=["missing", "too old"],
)
def test_a_missing_extra_is_named(lacking: str):
    code = f"""
import sys
{lacking}
from routellm_plugins.llama_index import route_on
from routellm_core import MissingExtraError
try:
    from routellm_plugins.llama_index import RouteLLM
except MissingExtraError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'pip install "routellm-plugins[llama-index]"' in done.stdout


def test_route_on_does_not_import_llama_index():
    code = "import sys; from routellm_plugins.llama_index import route_on; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "llama_index" not in done.stdout.split()


@pytest.mark.parametrize("name", ["top_p", "temperature", "max_tokens", "reuse_client", "timeout"])
def test_what_is_for_the_models_is_told(name: str):
    with pytest.raises(ConfigError, match=f"'{name}': it is for the models, so set it on strong"):
        make(**{name: 1})


def test_routing_does_not_nest():
    llm = make()
    for inner in (llm, llm.as_structured_llm(LLMMetadata)):
        with pytest.raises(ConfigError, match=r"'weak' is a RouteLLM itself, .*does not nest"):
            make(weak=inner)
