"""Ctrl-C, and SIGTERM, which schedulers and containers send: what ends a command."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any

_MOST_UNSEEN = 2
"""Interrupts that may go unseen: `timeout` sends each of its signals twice."""


@contextmanager
def handled(handler: Callable[[int, FrameType | None], Any], *numbers: int) -> Iterator[None]:
    """Have a function handle signals within the block.

    One that is ignored stays so, as shells do with Ctrl-C for jobs in the background. Outside the
    main thread, which alone receives signals, it does nothing.
    """
    with ExitStack() as stack:
        if threading.current_thread() is threading.main_thread():
            for number in numbers:
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    stack.callback(signal.signal, number, signal.signal(number, handler))
        yield


class Interrupts:
    """Ctrl-C and SIGTERM, noted for a loop that looks for them, in place of an exception that can
    come anywhere: between a call that is paid for and the note of it, or in a callback, where
    Python drops it.
    """

    def __init__(self) -> None:
        self._unseen = 0

    def came(self) -> bool:
        """Return whether any came since it was last asked. Ask several times a second: a signal
        that comes just before a thread begins to wait does not end the waiting.
        """
        came, self._unseen = self._unseen > 0, 0
        return came

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._unseen += 1
        if self._unseen > _MOST_UNSEEN:  # nobody looks: the loop is stuck
            raise KeyboardInterrupt


@contextmanager
def noted_interrupts() -> Iterator[Interrupts]:
    """Note interrupts until the block ends."""
    interrupts = Interrupts()
    with handled(interrupts._note, signal.SIGINT, signal.SIGTERM):
        yield interrupts
