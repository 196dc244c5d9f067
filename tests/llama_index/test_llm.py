"""A RouteLLM as an object: what it says of its models, and what it does not show."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from llama_index.core.base.llms.types import LLMMetadata, MessageRole
from llama_index.core.callbacks import CallbackManager
from llama_index.core.llms import CustomLLM, MockLLM
from llama_index.core.prompts import PromptTemplate
from llama_index.llms.openai_like import OpenAILike

from routellm_plugins.llama_index import RouteLLM
from tests.llama_index.routed import EASY, HARD, Routed


class Described(MockLLM):
    """An LLM that says of itself what a test wants."""

    described: LLMMetadata = LLMMetadata()

    def __init__(self, **described: Any) -> None:
        super().__init__(max_tokens=3)
        self.described = LLMMetadata(**described)

    @property
    def metadata(self) -> LLMMetadata:
        return self.described


def both(strong: dict[str, Any], weak: dict[str, Any]) -> LLMMetadata:
    return RouteLLM(Described(**strong), Described(**weak), threshold=0.25).metadata


def test_a_prompt_that_fits_it_fits_both_models():
    metadata = both(
        {"context_window": 100_000, "num_output": 500},
        {"context_window": 4_000, "num_output": -1},
    )
    assert (metadata.context_window, metadata.num_output) == (4_000, 500)


@pytest.mark.parametrize("strong", [True, False])
@pytest.mark.parametrize("weak", [True, False])
def test_it_can_chat_if_both_can(strong: bool, weak: bool):
    metadata = both({"is_chat_model": strong}, {"is_chat_model": weak})
    assert metadata.is_chat_model == (strong and weak)


def test_it_calls_functions_if_both_do(pair: Routed):
    assert pair.llm().metadata.is_function_calling_model
    silent = OpenAILike(model="small", is_chat_model=True, api_key="k")
    llm = RouteLLM(pair.bare("strong"), silent, threshold=0.5)
    assert not llm.metadata.is_function_calling_model


def test_instructions_take_a_role_that_both_know():
    developer = {"system_role": MessageRole.DEVELOPER}
    assert both(developer, developer).system_role == MessageRole.DEVELOPER
    assert both(developer, {}).system_role == MessageRole.USER


def test_it_is_named_by_router_and_threshold():
    assert both({}, {}).model_name == "router-mf-0.25"


def test_no_key_shows():
    strong = OpenAILike(model="big", api_key="sk-one", default_headers={"auth": "sk-two"})
    weak = OpenAILike(model="small", api_key="sk-three")
    llm = RouteLLM(strong, weak, strong_share=0.3, router_options={"checkpoint": "mf"})
    shown = (repr(llm), str(llm), llm.to_dict(), llm.to_json(), llm.model_dump(), llm.metadata)
    assert "sk-" not in str(shown)
    assert "sk-" not in str(llm.as_structured_llm(LLMMetadata).to_dict())
    assert "checkpoint" not in str(shown)
    assert repr(llm).startswith("RouteLLM(strong='big', weak='small', router='mf', threshold=0.6")
    assert llm.to_dict()["strong"] == {"class_name": "OpenAILike", "model_name": "big"}


def test_it_survives_being_sent_to_another_process(pair: Routed):
    sent = pickle.loads(pickle.dumps(pair.llm(utility="strong")))
    assert sent.settings == pair.llm(utility="strong").settings
    sent.complete(EASY)
    sent.complete(HARD)
    assert pair.answered() == {"strong": 1, "weak": 1}
    sent.callback_manager = manager = CallbackManager([])
    assert sent.weak.callback_manager is manager


def test_what_both_models_share_holds_for_callers_that_ask_the_router():
    def briefly(text: str) -> str:
        return f"Briefly: {text}"

    strong, weak = (
        OpenAILike(model=m, api_key="k", system_prompt="Be brief.", completion_to_prompt=briefly)
        for m in ("big", "small")
    )
    weak.query_wrapper_prompt = PromptTemplate("{query_str}")
    llm = RouteLLM(strong, weak, threshold=0.5)
    assert llm.system_prompt == "Be brief."
    assert llm.completion_to_prompt is briefly
    assert llm.query_wrapper_prompt is None


def test_the_models_are_those_given_not_copies():
    strong, weak = MockLLM(max_tokens=1), MockLLM(max_tokens=2)
    llm = RouteLLM(strong, weak, threshold=0.5)
    assert (llm.strong, llm.weak) == (strong, weak)
    assert llm.strong is strong


def test_models_that_only_complete_are_routed():
    llm = RouteLLM(MockLLM(max_tokens=5), MockLLM(max_tokens=2), threshold=0.0)
    assert isinstance(llm.weak, CustomLLM)
    assert llm.predict(PromptTemplate("{query_str}"), query_str=EASY) == "text " * 4 + "text"
