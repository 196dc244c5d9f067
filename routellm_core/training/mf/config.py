"""What can be set about the training of the mf router."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from ..shared.config import FeatureConfig, FeatureTrainingConfig, SourceConfig


class MFSourceConfig(SourceConfig):
    """How one file is used by mf."""

    level: Literal["shared", "pooled", "own"] = Field(
        default="shared",
        description="how often the first (strong) model wins: one level for all such sources, "
        "levels drawn to each other by level_l2, or one of its own that nothing else learns from",
    )
    level_only: bool = Field(
        default=False,
        description="teach how strong models are, not which prompts need the strong one",
    )


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
    rank: int = Field(default=8, ge=1, description="length of a model's vector")
    l2: float = Field(default=0.01, ge=0, description="penalty on squared weights of the features")
    level_l2: float = Field(
        default=0.005, ge=0, description="penalty on squared differences of pooled levels"
    )
    steps: int = Field(default=400, ge=1, description="full passes over the data")
    learning_rate: float = Field(default=0.02, gt=0, description="of Adam, falling to 0")
    seed: int = Field(default=0, description="of the initial weights")


class MFConfig(FeatureTrainingConfig, _HyperParameters):
    """Hyper-parameters, reference pair, and the use of each source."""

    source_kind: ClassVar[type[SourceConfig]] = MFSourceConfig

    sources: dict[str, MFSourceConfig] = Field(
        default_factory=dict, description="by name of the file"
    )

    def source(self, name: str) -> MFSourceConfig:
        """Return how a source is used; plainly, where nothing is set."""
        return self.sources.get(name, MFSourceConfig())
