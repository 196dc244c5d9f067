"""Every router that can be trained, by name: its configuration and what trains it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ..errors import ConfigError, did_you_mean
from .config import TrainingConfig
from .files import TrainingFiles
from .prepare import Say


class Train(Protocol):
    """Writes a checkpoint with metrics.json and model card, and returns what metrics.json holds.

    It may take more that is optional, such as ``progress``. Started again in the same folder, a
    run that was cut off goes on or begins anew.
    """

    def __call__(
        self, files: TrainingFiles, folder: Path, config: Any, *, say: Say = ...
    ) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Trainer:
    """How a router is trained."""

    config: type[TrainingConfig]
    """What its configuration file holds; defaults for all of it."""
    train: Train


def _mf() -> Trainer:
    from .mf import train_mf
    from .mf_config import MFConfig

    return Trainer(MFConfig, train_mf)


def _sw_ranking() -> Trainer:
    from .sw_ranking import train_sw_ranking
    from .sw_ranking_config import SWRankingConfig

    return Trainer(SWRankingConfig, train_sw_ranking)


def _bert() -> Trainer:
    from .bert import train_bert
    from .bert_config import BERTConfig

    return Trainer(BERTConfig, train_bert)


def _causal_llm() -> Trainer:
    from .causal_llm import train_causal_llm
    from .causal_llm_config import CausalLLMConfig

    return Trainer(CausalLLMConfig, train_causal_llm)


_TRAINERS: dict[str, Callable[[], Trainer]] = {
    "bert": _bert,
    "causal_llm": _causal_llm,
    "mf": _mf,
    "sw_ranking": _sw_ranking,
}
"""Called when it is wanted, since some need packages of an extra."""


def find_trainer(router: str) -> Trainer:
    """Return how a router is trained.

    Raises:
        ConfigError: it cannot be.
        MissingExtraError: a package for it is not installed.
    """
    if router not in _TRAINERS:
        raise ConfigError(f"no router '{router}' can be trained: {did_you_mean(router, _TRAINERS)}")
    return _TRAINERS[router]()
