"""What can be set about the training of the mf router."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..shared.config import FeatureConfig, FeatureTrainingConfig


class _HyperParameters(FeatureConfig):
    learn: Literal["pair", "outcomes"] = Field(
        default="pair",
        description="what is learned: which of the pair's models wins, from battles and gold of "
        "what counts as them, or how hard a prompt is, from the outcomes of all models of gold",
    )
    strong_ability: float = Field(
        default=1.1, description="ability of the default strong model, if outcomes are learned"
    )
    weak_ability: float = Field(default=0.0, description="likewise of the weak one")
    l2: float | None = Field(
        default=None,
        gt=0,
        description="penalty on squared weights of the features; none: chosen by cross-validated "
        "log loss",
    )


class MFConfig(FeatureTrainingConfig, _HyperParameters):
    """Hyper-parameters, reference pair, and the use of each source."""
