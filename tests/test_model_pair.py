"""Mistakes in a pair of models: told where they are certain, and only there."""

from __future__ import annotations

import pytest

from routellm_core import ConfigError
from routellm_plugins.model_pair import check_pair

SWAPPED = [
    ("gpt-4o-mini", "gpt-4o"),
    ("openai:gpt-4o-mini", "gpt-4o"),
    ("openai/gpt-4.1-nano", "openai/gpt-4.1-mini"),
    ("gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06"),
    ("gpt-5", "gpt-5-pro"),
    ("o1-mini", "o1-preview"),
    ("claude-3-5-haiku-20241022", "claude-3-5-sonnet-20241022"),
    ("anthropic:claude-haiku-4-5", "anthropic:claude-opus-4-5"),
    ("anthropic/claude-3-haiku@20240307", "claude-3-opus-latest"),
    ("gemini-2.5-flash-lite", "gemini-2.5-flash"),
    ("google_genai:gemini-2.5-flash", "google_genai:gemini-2.5-pro"),
    ("mistral-small-latest", "mistral-large-latest"),
    ("bedrock/us.amazon.nova-lite-v1:0", "bedrock/us.amazon.nova-pro-v1:0"),
    ("ollama:llama3.1:8b", "ollama:llama3.1:70b"),
    ("meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-70B-Instruct"),
    ("qwen2.5-0.5b-instruct", "qwen2.5-32b-instruct"),
    ("grok-3-mini", "grok-3"),
]

UNRELATED = [
    ("gpt-4o-mini", "gpt-3.5-turbo"),
    ("gpt-5-mini", "gpt-4o"),
    ("gpt-4-turbo", "gpt-4"),
    ("claude-haiku-4-5", "claude-3-opus"),
    ("gpt-4o-mini-audio-preview", "gpt-4o"),
    ("o3-mini", "o1"),
    ("llama-3.3-8b", "llama-3.1-70b"),
    ("mixtral-8x7b", "mistral-7b"),
    ("small-business-gpt", "gpt"),
    ("mistral-medium-2505", "mistral-large-2402"),
    ("deployment-1", "deployment-2"),
    ("deepseek-v3-lite", "deepseek-v2"),
    ("prod", "prod-eu"),
]


@pytest.mark.parametrize(("small", "large"), SWAPPED)
def test_a_smaller_sibling_as_the_strong_model_is_warned_of(small, large, caplog):
    check_pair(small, large, small, large)
    assert f"'strong' ('{small}') is a smaller version of 'weak' ('{large}')" in caplog.text
    caplog.clear()
    check_pair(large, small, large, small)
    assert not caplog.records


@pytest.mark.parametrize(("first", "second"), UNRELATED)
def test_other_pairs_are_not_warned_of(first, second, caplog):
    check_pair(first, second, first, second)
    check_pair(second, first, second, first)
    assert not caplog.records


def test_the_same_model_twice():
    model = object()
    with pytest.raises(ConfigError, match="'strong' and 'weak' are the same model: name two"):
        check_pair(model, model)
    with pytest.raises(ConfigError, match="are the same model 'gpt-4o': name two models"):
        check_pair("openai:gpt-4o", "openai:gpt-4o", "gpt-4o", "gpt-4o")


def test_one_model_in_two_ways_is_a_pair():
    check_pair(object(), object(), "gpt-5", "gpt-5")
    check_pair(object(), object(), None, "gpt-5")
