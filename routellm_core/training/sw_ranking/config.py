"""What can be set about the making of an sw_ranking router."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from ..shared.config import LearnConfig, LearnTrainingConfig


class _HyperParameters(LearnConfig):
    gamma: float = Field(
        default=10.0,
        gt=1,
        le=1e6,
        description="a battle on the nearest prompt counts so many times as often as one on a "
        "prompt that has nothing in common",
    )
    num_tiers: int = Field(default=10, ge=2, le=1_000, description="tiers of models, at most")
    directions: int = Field(
        default=16, ge=1, description="along how many principal directions prompts are compared"
    )
    advantage: float = Field(
        default=8.0,
        ge=0,
        le=1e3,
        description="spread of prompts along one more direction, the one in which the strong "
        "model's advantage on gold grows, or prompts get harder",
    )
    battles: int = Field(
        default=16_000, ge=1, description="most battles that are kept, if outcomes are learned"
    )


class SWRankingConfig(LearnTrainingConfig, _HyperParameters):
    """Hyper-parameters, reference pair, and the use of each source."""

    only_pair: ClassVar[frozenset[str]] = LearnTrainingConfig.only_pair | {"num_tiers"}
    only_outcomes: ClassVar[frozenset[str]] = LearnTrainingConfig.only_outcomes | {"battles"}
