"""What can be set about the training of the bert router."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from ..finetune.config import FinetuneConfig, FinetuneTrainingConfig
from ..shared.config import LearnTrainingConfig


class _HyperParameters(FinetuneConfig):
    kept_layers: list[int] = Field(
        default_factory=list,
        description="layers that are kept after fine-tuning, numbered from 0, if outcomes are "
        "learned; they then learn again, from all layers as well. None: all are kept",
    )
    kept_epochs: float = Field(
        default=2.0, gt=0, description="passes over the prompts with the kept layers"
    )


class BERTConfig(FinetuneTrainingConfig, LearnTrainingConfig, _HyperParameters):
    """Hyper-parameters, reference pair, and the use of each source."""

    only_pair: ClassVar[frozenset[str]] = LearnTrainingConfig.only_pair | {"teacher_weight"}
    only_outcomes: ClassVar[frozenset[str]] = LearnTrainingConfig.only_outcomes | {
        *("kept_layers", "kept_epochs")
    }
