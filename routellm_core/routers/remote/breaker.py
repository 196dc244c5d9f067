"""A circuit breaker: once a server gives no answer, nobody else waits for it until it is back."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable

from ...errors import ServerAwayError

logger = logging.getLogger(__name__)


class Breaker:
    """Whether a server is considered unavailable.

    No thread waits for it to come back: a call that finds the breaker open fails at once and, at
    most once in ``retry_s`` seconds, has a thread look. Thread-safe.

    Args:
        name: of the server, for messages.
        is_back: asks whether the server answers; called on a thread of its own.
        retry_s: least seconds between two looks, and before the first.
    """

    def __init__(self, name: str, is_back: Callable[[], bool], retry_s: float) -> None:
        self._name = name
        self._is_back = is_back
        self._retry_s = retry_s
        self._why: str | None = None
        self._next_look = 0.0
        self._closed_at = 0.0
        self.renew()

    def renew(self) -> None:
        """Forget locks and threads, in a forked child, which has neither."""
        self._lock = threading.Lock()
        self._looking: threading.Thread | None = None

    @property
    def is_open(self) -> bool:
        """Whether the server is considered unavailable."""
        return self._why is not None

    def check(self) -> None:
        """Let a call through, or fail it at once.

        Raises:
            ServerAwayError: the server is considered unavailable.
        """
        why = self._why
        if why is None:
            return
        if time.monotonic() >= self._next_look:
            self._look()
        raise ServerAwayError(f"{self._name} is unavailable ({why})")

    def failed(self, why: str, began: float) -> ServerAwayError:
        """Record that the server gave no answer; returns the error to raise.

        Args:
            why: what happened, in a few words.
            began: ``time.monotonic()`` when the server was asked. Of a question from before it was
                last found to be back, nothing follows.
        """
        with self._lock:
            opens = self._why is None and began >= self._closed_at
            if opens:
                self._why = why
                self._next_look = time.monotonic() + self._retry_s
        if opens:
            logger.warning(
                "%s is unavailable (%s): until it is back, calls go to 'on_error' without waiting",
                self._name,
                why,
            )
        return ServerAwayError(f"{self._name} is unavailable ({why})")

    def _look(self) -> None:
        with self._lock:
            if self._looking is not None or self._why is None:
                return
            thread = threading.Thread(target=self._see, name="routellm-remote", daemon=True)
            with contextlib.suppress(RuntimeError):  # no thread to be had: at the next call
                thread.start()
                self._looking = thread

    def _see(self) -> None:
        is_back = False
        try:
            is_back = self._is_back()
        finally:
            with self._lock:
                self._next_look = time.monotonic() + self._retry_s
                self._looking = None
                if is_back:
                    self._why = None
                    self._closed_at = time.monotonic()
        if is_back:
            logger.warning("%s is back", self._name)
