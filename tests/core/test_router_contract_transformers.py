"""The contract, fulfilled by the bundled routers that read a prompt with a language model."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from routellm_core import Router
from routellm_core.routers.bert import BERTRouter
from routellm_core.routers.causal_llm.router import CausalLLMRouter
from routellm_core.testing import RouterContractTests


class TestBERT(RouterContractTests):
    def router(self) -> Router:
        return BERTRouter.from_pretrained(device="cpu")


class TestCausalLLM(RouterContractTests):
    def router(self) -> Router:
        return CausalLLMRouter.from_pretrained(device="cpu")
