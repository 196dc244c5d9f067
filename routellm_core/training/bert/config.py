"""What can be set about the fine-tuning of a bert router."""

from __future__ import annotations

from ..finetune.config import FinetuneTrainingConfig


class BERTConfig(FinetuneTrainingConfig):
    """Hyper-parameters, reference pair, and the use of each source."""
