"""Failures to score: counted, and the first of each kind logged."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..settings import PolicySettings

logger = logging.getLogger(__name__)


class Failures:
    """Counts failures, and logs the first of each kind."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def note(self, error: Exception, settings: PolicySettings) -> str:
        """Count a failure, and return the cause for the decision on its call."""
        kind = type(error).__name__
        with self._lock:
            self.counts[kind] += 1
            first = self.counts[kind] == 1
        if first:
            logger.error(
                "%s failed (%s: %s): such requests go to the %s model; "
                "further failures of this kind are counted, not logged",
                settings.subject,
                kind,
                error,
                settings.on_error,
                exc_info=error,
            )
        return f"error:{kind}"
