"""What can be set about the fine-tuning of a causal_llm router."""

from __future__ import annotations

from pydantic import Field

from ..finetune.config import FinetuneConfig, FinetuneTrainingConfig
from ..shared.config import LearnTrainingConfig


class _HyperParameters(FinetuneConfig):
    system: str = Field(
        default="Rate from 1 to 5 how well a small model would answer.",
        description="what the model is to do",
    )
    classifier: str = Field(
        default="{question}",
        pattern=r"\{question\}",
        description="the user's message, with {question} where the prompt goes",
    )
    lora_rank: int | None = Field(
        default=None, ge=1, description="learn adapters of this rank; none: all weights"
    )
    vocabulary: int = Field(
        default=8192, ge=300, description="tokens of a model from scratch (base: null)"
    )
    hidden_size: int = Field(default=256, ge=8, description="of a model from scratch")
    layers: int = Field(default=6, ge=1, description="of a model from scratch")
    heads: int = Field(default=4, ge=1, description="of a model from scratch")
    pretrain_epochs: float = Field(
        default=3.0, gt=0, description="passes in which a model from scratch learns the next token"
    )
    pretrain_learning_rate: float = Field(default=1e-3, gt=0, le=0.1, description="in those passes")


class CausalLLMConfig(FinetuneTrainingConfig, LearnTrainingConfig, _HyperParameters):
    """Hyper-parameters, reference pair, and the use of each source."""

    # Here, as the default of FinetuneTrainingConfig comes before that of _HyperParameters.
    max_length: int = Field(
        default=512, ge=8, description="tokens that are read, the two texts included"
    )
