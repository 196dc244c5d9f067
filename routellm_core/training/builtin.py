"""Registers the built-in trainers through the same hook that plugins use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..hookspecs import Register, hookimpl
from ..optional import require

if TYPE_CHECKING:
    from .trainers import Trainer


def _mf() -> Trainer:
    from .mf.config import MFConfig
    from .mf.train import train_mf
    from .trainers import Trainer

    return Trainer(MFConfig, train_mf)


def _sw_ranking() -> Trainer:
    from .sw_ranking.config import SWRankingConfig
    from .sw_ranking.train import train_sw_ranking
    from .trainers import Trainer

    return Trainer(SWRankingConfig, train_sw_ranking)


def _bert() -> Trainer:
    _require_finetuning("bert")
    from .bert.config import BERTConfig
    from .bert.train import train_bert
    from .trainers import Trainer

    return Trainer(BERTConfig, train_bert)


def _causal_llm() -> Trainer:
    _require_finetuning("causal_llm")
    from .causal_llm.config import CausalLLMConfig
    from .causal_llm.train import train_causal_llm
    from .trainers import Trainer

    return Trainer(CausalLLMConfig, train_causal_llm)


def _require_finetuning(router: str) -> None:
    for module in ("torch", "transformers", "accelerate"):
        require(module, "train", f"training {router}")


@hookimpl
def routellm_register_trainers(register: Register) -> None:
    register("bert", _bert)
    register("causal_llm", _causal_llm)
    register("mf", _mf)
    register("sw_ranking", _sw_ranking)
