"""The contract, fulfilled by the routers that read a prompt with a language model."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from safetensors.torch import load_file, save_file

from routellm_core import Router
from routellm_core.checkpoints.store import WEIGHTS
from routellm_core.routers.bert import BERTRouter
from routellm_core.routers.causal_llm import CausalLLMRouter
from routellm_core.testing import RouterContractTests
from tests.fakes.transformer_checkpoints import write_bert, write_causal_llm


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints")
    write_bert(folder / "bert", score_quantiles=[0.1, 0.9])
    write_causal_llm(folder / "causal_llm", max_length=256, score_quantiles=[0.1, 0.9])
    # Their logits are far larger than those of trained models, and so is what rounding does.
    _scale(folder / "bert", "weight", 0.5)
    _scale(folder / "causal_llm", "lm_head.weight", 0.1)
    return folder


def _scale(folder: Path, ending: str, factor: float) -> None:
    tensors = load_file(folder / WEIGHTS)
    for name, tensor in tensors.items():
        if name.endswith(ending) and tensor.ndim == 2:
            tensors[name] = tensor * factor
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


class TestBERT(RouterContractTests):
    @pytest.fixture(autouse=True)
    def _written(self, checkpoints: Path) -> None:
        self.folder = checkpoints / "bert"

    def router(self) -> Router:
        return BERTRouter.from_pretrained(str(self.folder), device="cpu")


class TestCausalLLM(RouterContractTests):
    @pytest.fixture(autouse=True)
    def _written(self, checkpoints: Path) -> None:
        self.folder = checkpoints / "causal_llm"

    def router(self) -> Router:
        return CausalLLMRouter.from_pretrained(str(self.folder), device="cpu")
