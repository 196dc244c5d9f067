"""What is compared: ways of training, and routers that are trained already."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ...errors import ConfigError
from ..shared.config import TrainingConfig


@dataclass(frozen=True)
class Candidate:
    """A way of training."""

    name: str
    """What it is called in the results, and its folder."""
    router: str
    config: TrainingConfig

    @property
    def learns_outcomes(self) -> bool:
        """Whether it learns the outcomes of many models, and not which of two wins."""
        return getattr(self.config, "learn", "pair") == "outcomes"


def check_candidates(candidates: Sequence[Candidate], checkpoints: Collection[str] = ()) -> None:
    """Make sure that candidates can be told apart, and predict the same.

    Args:
        candidates: ways of training.
        checkpoints: names of routers that are trained already.

    Raises:
        ConfigError: two have the same name, or two candidates compare other models.
    """
    names = [*(candidate.name for candidate in candidates), *checkpoints]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(
                f"'{name}' is given twice: leave one out, or give another configuration or "
                "folder, of another name"
            )
    first = candidates[0]
    for other in candidates[1:]:
        for key in ("strong_model", "weak_model", "models"):
            if getattr(other.config, key) != getattr(first.config, key):
                raise ConfigError(
                    f"'{first.name}' and '{other.name}' differ in '{key}', so they are not "
                    "comparable: write the same value in both, or set it for all with --set"
                )
