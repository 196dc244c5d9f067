"""Requests to a proxy, each of which ends in bounded time, and what became of them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx

TIMEOUT_S = 60.0
"""A request that takes longer is lost."""
SEVERED = (httpx.NetworkError, httpx.RemoteProtocolError)
"""The connection was cut; nothing was answered."""


class Load:
    """Sends chat requests, and knows which are in flight.

    Args:
        client: for the proxy's URL, with its key.
    """

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._began: dict[int, float] = {}
        self._sent = 0

    async def post(self, model: str, text: str, **more: Any) -> tuple[str | None, float]:
        """Return why a request was lost (None if it was answered), and the seconds it took."""
        body = {"model": model, "messages": [{"role": "user", "content": text}], **more}
        self._sent += 1
        number, start = self._sent, time.perf_counter()
        self._began[number] = start
        try:
            sending = self._client.post("/v1/chat/completions", json=body)
            answer = await asyncio.wait_for(sending, TIMEOUT_S)
            if answer.status_code != 200:
                reason: str | None = str(answer.status_code)
            else:
                reason = None if answer.json()["choices"] else "no choices"
        except SEVERED:
            reason = "severed"
        except (TimeoutError, asyncio.TimeoutError, httpx.TimeoutException):
            reason = "timeout"
        except (httpx.HTTPError, ValueError, KeyError) as error:
            reason = type(error).__name__
        finally:
            del self._began[number]
        return reason, time.perf_counter() - start

    def oldest_s(self) -> float:
        """Return how long the oldest request in flight has waited; 0 if there is none."""
        return time.perf_counter() - min(self._began.values(), default=time.perf_counter())


@dataclass
class Outcome:
    """What became of the requests of one phase."""

    lost: dict[str, Counter[str]] = field(
        default_factory=lambda: {"plain": Counter(), "alias": Counter()}
    )
    """By kind of model asked for, how many for each reason."""
    seconds: dict[str, list[float]] = field(default_factory=lambda: {"plain": [], "alias": []})
    unsent: int = 0
    """Pairs for which there was no time."""

    def note(self, kind: str, reason: str | None, seconds: float) -> None:
        """Count one request."""
        if reason is not None:
            self.lost[kind][reason] += 1
        self.seconds[kind].append(seconds)

    def losses(self, kind: str, severed: bool) -> int:
        """Return how many were lost, with or without those whose connection was cut."""
        return sum(
            count for reason, count in self.lost[kind].items() if severed or reason != "severed"
        )
