"""What a scoring server and its clients say to each other; both sides import it."""

from __future__ import annotations

SCORE = "/v1/score"
"""POST ``{"prompts": [...]}`` gives ``{"scores": [...], "fingerprint": ...}``."""

DECIDE = "/v1/decide"
"""POST ``{"messages": [...], "session": ...}`` gives a decision's ``as_metadata()``."""

ROUTER = "/v1/router"
"""GET gives what a client must know of the router: ``Description``."""

BUSY = 429
"""Status of an answer that says that too much is waiting. It is no sign of absence."""

ABSENT = (502, 503, 504)
"""Statuses by which something before the server, such as an ingress, says that it is away."""
