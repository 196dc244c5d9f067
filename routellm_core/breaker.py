"""A circuit breaker: once a server gives no answer, nobody else asks it until it is back."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable

from .errors import ServerAwayError

logger = logging.getLogger(__name__)


class Breaker:
    """Whether a server is considered unavailable.

    No thread waits for it to come back. At most once in ``retry_s`` seconds, a call that finds the
    breaker open has a thread look, or is let through to see for itself; all others fail at once.
    Thread-safe.

    Args:
        name: of the server, for messages.
        retry_s: least seconds between two looks, and before the first.
        is_back: asks whether the server answers; called on a thread of its own. None: a call that
            is let through does, and must then end in ``failed`` or ``succeeded``.
        after: failures in a row that open it. A caller that sets more than 1 tells ``succeeded`` of
            its successes.
        meanwhile: what becomes of calls while it is open, for the log.
    """

    def __init__(
        self,
        name: str,
        retry_s: float,
        is_back: Callable[[], bool] | None = None,
        *,
        after: int = 1,
        meanwhile: str = "calls go to 'on_error' without waiting",
    ) -> None:
        self._name = name
        self._retry_s = retry_s
        self._is_back = is_back
        self._after = after
        self._meanwhile = meanwhile
        self._failures = 0
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

    @property
    def refuses(self) -> bool:
        """Whether ``check`` would fail a call now."""
        return self._why is not None and (
            self._is_back is not None or time.monotonic() < self._next_look
        )

    def check(self) -> None:
        """Let a call through, or fail it at once.

        Raises:
            ServerAwayError: the server is considered unavailable.
        """
        why = self._why
        if why is None:
            return
        if time.monotonic() >= self._next_look and self._look():
            return
        raise ServerAwayError(f"{self._name} is unavailable ({why})")

    def failed(self, why: str, began: float) -> ServerAwayError:
        """Record that the server gave no answer; returns the error to raise.

        Args:
            why: what happened, in a few words.
            began: ``time.monotonic()`` when the server was asked. Of a question from before it was
                last found to be back, nothing follows.
        """
        with self._lock:
            opens = False
            if began >= self._closed_at:
                self._failures += 1
                opens = self._why is None and self._failures >= self._after
                if opens:
                    self._why = why
                if opens or self._is_back is None:
                    self._next_look = time.monotonic() + self._retry_s
        if opens:
            logger.warning(
                "%s is unavailable (%s): until it is back, %s", self._name, why, self._meanwhile
            )
        return ServerAwayError(f"{self._name} is unavailable ({why})")

    def succeeded(self) -> None:
        """Record that the server answered a call."""
        if not self._failures:
            return
        with self._lock:
            was_open = self._close()
        if was_open:
            logger.warning("%s is back", self._name)

    def _close(self) -> bool:
        """Forget failures; returns whether it was open. The caller holds the lock."""
        was_open = self._why is not None
        self._failures, self._why = 0, None
        if was_open:
            self._closed_at = time.monotonic()
        return was_open

    def _look(self) -> bool:
        """Have somebody look whether the server is back; returns whether that is the caller."""
        with self._lock:
            if self._is_back is None:
                now = time.monotonic()
                if self._why is not None and now < self._next_look:
                    return False
                self._next_look = now + self._retry_s
                return True
            if self._looking is not None or self._why is None:
                return False
            thread = threading.Thread(
                target=self._see, args=(self._is_back,), name="routellm-remote", daemon=True
            )
            with contextlib.suppress(RuntimeError):  # no thread to be had: at the next call
                thread.start()
                self._looking = thread
            return False

    def _see(self, asks: Callable[[], bool]) -> None:
        is_back = False
        try:
            is_back = asks()
        finally:
            with self._lock:
                self._next_look = time.monotonic() + self._retry_s
                self._looking = None
                if is_back:
                    self._close()
        if is_back:
            logger.warning("%s is back", self._name)
