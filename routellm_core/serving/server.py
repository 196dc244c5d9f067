"""Run a scoring server until it is told to stop."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ..optional import require
from .app import ScoringApp

if TYPE_CHECKING:
    import uvicorn

WHY = "`routellm serve`"
_GRACE_S = 30
"""Seconds that requests have to end in, once no new ones are taken."""
_KEPT_S = 75
"""Seconds for which an idle connection is kept; clients drop theirs earlier."""


def make_server(app: ScoringApp, host: str, port: int, drain_s: float) -> uvicorn.Server:
    """Return a server, which ``run`` runs until SIGINT or SIGTERM.

    At SIGTERM it goes on serving for ``drain_s`` seconds, not ready, so that load balancers find
    other servers; then it takes no new requests, and ends once all are answered. A second signal,
    or SIGINT, leaves the waiting out; SIGINT once more ends it at once.

    Args:
        app: is served.
        host: where to listen.
        port: likewise.
        drain_s: seconds.

    Raises:
        MissingExtraError: uvicorn or Starlette is not installed.
    """
    require("starlette", "serve", WHY)
    uvicorn_: Any = require("uvicorn", "serve", WHY)
    import signal

    config = uvicorn_.Config(
        app.asgi(),
        host=host,
        port=port,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=_GRACE_S,
        timeout_keep_alive=_KEPT_S,
    )

    class Server(uvicorn_.Server):  # type: ignore[misc]
        ends_at: float | None = None
        should_exit: bool

        def handle_exit(self, sig: int, frame: Any) -> None:
            # Not as uvicorn does, which afterwards dies of the signal: it has ended as it was told.
            if sig == signal.SIGTERM and not app.draining:
                self.ends_at = time.monotonic() + drain_s
            else:
                self.force_exit = self.should_exit and sig == signal.SIGINT
                self.should_exit = True
            app.draining = True

        async def on_tick(self, counter: int) -> bool:
            is_due = self.ends_at is not None and time.monotonic() >= self.ends_at
            return bool(await super().on_tick(counter) or is_due)

    server: uvicorn.Server = Server(config)
    return server
