"""A stand-in upstream that can be fails on purpose, and asked what it was asked."""

from __future__ import annotations

from typing import Any

from routellm_plugins.demo.standin import StandIn


class Upstream(StandIn):
    """A stand-in model with fault injection.

    Attributes:
        failing_with: HTTP status of every answer; None answers.
    """

    failing_with: int | None = None

    def fault(self, body: dict[str, Any]) -> int | None:
        return self.failing_with

    def asked(self, words: str) -> list[dict[str, Any]]:
        """Return the requests in which these words occur."""
        return [request for request in self.requests if words in str(request)]
