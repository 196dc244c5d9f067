"""The contract, fulfilled by the routers that read a prompt with a language model."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from routellm_core import Router
from routellm_core.routers.bert.classifier import BERTRouter
from routellm_core.routers.bert.onnx import BERTOutcomesRouter
from routellm_core.routers.causal_llm.router import CausalLLMRouter
from routellm_core.testing import RouterContractTests
from tests.fakes.transformer_checkpoints import write_bert


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bert")
    write_bert(folder, score_quantiles=[0.1, 0.9])
    return folder


class TestBERTClassifier(RouterContractTests):
    @pytest.fixture(autouse=True)
    def _classifier(self, classifier: Path) -> None:
        self.folder = classifier

    def router(self) -> Router:
        return BERTRouter.from_pretrained(self.folder, device="cpu")


class TestBERT(RouterContractTests):
    def router(self) -> Router:
        return BERTOutcomesRouter.from_pretrained()


class TestCausalLLM(RouterContractTests):
    tolerance = 1e-5

    def router(self) -> Router:
        return CausalLLMRouter.from_pretrained(device="cpu")
