"""What can be set about the fine-tuning of any transformer."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal, TypeVar

from pydantic import Field

from ..shared.config import PairConfig, SourceConfig, TrainingConfig


class FinetuneSourceConfig(SourceConfig):
    """How one file is used by a transformer."""

    own_level: bool = Field(
        default=False,
        description="how often each outcome occurs here is its own, independent of the prompt",
    )


class FinetuneConfig(PairConfig):
    """Hyper-parameters that bert and causal_llm share."""

    base: str | None = Field(
        default=None, description="folder or Hugging Face id of the model to start from"
    )
    max_length: int = Field(default=256, ge=8, description="tokens of a prompt that are read")
    epochs: float = Field(default=2.0, gt=0, description="passes over the prompts")
    batch_size: int = Field(default=32, ge=1, description="prompts a step, on each device")
    learning_rate: float = Field(default=3e-5, gt=0, le=0.1, description="of AdamW, at its highest")
    weight_decay: float = Field(default=0.01, ge=0, description="of matrices")
    warmup_share: float = Field(
        default=0.1,
        ge=0,
        lt=1,
        description="share of the steps in which the learning rate rises; then it falls to 0",
    )
    layer_decay: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="the learning rate of a layer as a share of that of the layer above it",
    )
    average: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="what an average of the weights over the steps keeps at each; 0: none",
    )
    teacher_weight: float = Field(
        default=0.0,
        ge=0,
        description="of the squared error to a linear model of the same labels, relative to the "
        "variance of what that says, beside the cross-entropy; 0: none is fitted",
    )
    dropout: float = Field(default=0.0, ge=0, lt=1, description="wherever the model has some")
    precision: Literal["bf16", "fp32"] = Field(
        default="bf16", description="of products; weights and sums are float32"
    )
    gradient_checkpointing: bool = Field(default=False, description="compute twice, to save memory")
    save_every: int = Field(
        default=100, ge=1, description="steps between two states to go on from after a kill"
    )
    seed: int = Field(default=0, ge=0, description="of new weights, order and dropout")


Named = TypeVar("Named", bound="FinetuneTrainingConfig")


class FinetuneTrainingConfig(TrainingConfig, FinetuneConfig):
    """The same with the use of each source."""

    source_kind: ClassVar[type[SourceConfig]] = FinetuneSourceConfig

    sources: dict[str, FinetuneSourceConfig] = Field(
        default_factory=dict, description="by name of the file"
    )

    def source(self, name: str) -> FinetuneSourceConfig:
        """Return how a source is used; the defaults where nothing is set."""
        return self.sources.get(name, FinetuneSourceConfig())

    def named(self: Named) -> Named:
        """Return it with the base by its name, without folders, as the card names it."""
        if self.base is None or not Path(self.base).is_dir():
            return self
        return self.model_copy(update={"base": Path(self.base).absolute().name})
