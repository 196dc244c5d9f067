"""Score calls as they are read, a batch at a time, without keeping their text."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.digests import TextsDigest
from ..decision import Asked
from ..errors import DataError
from ..progress import SILENT, Progress
from ..prompt.side_calls import is_side_call
from .policy import RoutingPolicy

_BATCH = 512
_HELD = 1 << 23
"""Characters of prompts that are held at once, about."""


class ScoreStream:
    """Scores calls as a gateway with a policy would.

    Args:
        policy: scores; its threshold does not matter.
        total: about how many calls there are.
        progress: receives how many are read.
    """

    def __init__(
        self, policy: RoutingPolicy, *, total: int = 0, progress: Progress = SILENT
    ) -> None:
        self._policy = policy
        self._total = total
        self._progress = progress
        self._to_score: list[Asked] = []
        self._held = 0
        self._digest = TextsDigest()
        self._scores: array[float] = array("d")
        self._is_side = bytearray()
        progress.stage(f"Scoring with {policy.settings.router}")

    def add(self, turns: tuple[str, ...], messages: Sequence[Any] = ()) -> bool:
        """Take the next call.

        Args:
            turns: what the human wrote, oldest first.
            messages: in OpenAI's form, as they were logged.

        Returns:
            Whether it is a side call, which is not scored.
        """
        for text in turns:
            self._digest.add(text)
        is_side = self._policy.settings.utility != "score" and is_side_call(messages)
        self._is_side.append(is_side)
        # A call without text is not scored.
        self._to_score.append(Asked() if is_side else Asked(turns))
        self._held += sum(map(len, turns))
        if len(self._to_score) >= _BATCH or self._held >= _HELD:
            self._score()
        return is_side

    def scores(self) -> NDArray[np.float64]:
        """Return the scores of all calls, shape (n,): NaN for a side call, and where scoring
        failed.

        Raises:
            DataError: the router could score none of them.
        """
        self._score()
        scores = np.frombuffer(self._scores)
        if self.failed(scores) and np.isnan(scores).all():
            kinds = ", ".join(self._policy.errors) or "no text"
            raise DataError(
                f"router '{self._policy.settings.router}' could score no prompt ({kinds}): try "
                "`routellm score` on one of them"
            )
        return scores

    def failed(self, scores: NDArray[np.float64]) -> int:
        """Return how many of the calls could not be scored, not counting side calls."""
        return int((np.isnan(scores) & ~self.is_side).sum())

    @property
    def is_side(self) -> NDArray[np.bool_]:
        """Which of the calls are side calls, shape (n,)."""
        return np.frombuffer(self._is_side, np.bool_)

    @property
    def digest(self) -> str:
        """SHA-256 of the human's words, in their order, unscored ones too."""
        return self._digest.value()

    def _score(self) -> None:
        if self._to_score:
            self._scores.extend(self._policy.scores(self._to_score))
            self._to_score, self._held = [], 0
            done = len(self._scores)
            self._progress.step(done, max(done, self._total))
