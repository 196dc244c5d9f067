"""What waits for the store is written when the proxy is told to stop.

uvicorn ends its process by the signal that it got, so that nothing registered with ``atexit`` runs,
and LiteLLM tells its callbacks nothing.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType

from routellm_core.traffic.store.writer import write_at_once


def write_before_the_end() -> None:
    """Write at once from SIGTERM or SIGINT on, while the server finishes its requests.

    The server's own handlers go on working. Where it has none, or outside the main thread, which
    alone may set handlers, nothing is changed.
    """
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            _write_before(number)


def _write_before(number: signal.Signals) -> None:
    of_server = signal.getsignal(number)
    if not callable(of_server):
        return

    def handle(signum: int, frame: FrameType | None) -> None:
        # On a thread: this one may have been interrupted while it held the writer's lock.
        threading.Thread(target=write_at_once, name="routellm-end", daemon=True).start()
        of_server(signum, frame)

    signal.signal(number, handle)
