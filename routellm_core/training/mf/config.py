"""What can be set about the training of the mf router."""

from __future__ import annotations

from ..shared.config import LearnTrainingConfig


class MFConfig(LearnTrainingConfig):
    """Hyper-parameters, reference pair, and the use of each source."""
