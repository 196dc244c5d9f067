"""A router whose scores come from a server that runs `routellm serve`."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ...contracts import Router
from ...errors import ScoringError, ServerAwayError
from .server import Description, ScoringServer, server_of

logger = logging.getLogger(__name__)

_AROUND = 64
"""Bytes of a request beside its prompts."""


def load_remote(
    url: str, *, token_env: str | None = None, timeout_ms: float = 500.0, retry_ms: float = 1000.0
) -> Router:
    """Return the router of a server, with its fingerprint and its quantiles.

    If the server does not answer, a stand-in is returned, which becomes stale once it does.

    Args:
        url: address of the server, such as ``http://scoring:8100``.
        token_env: environment variable that holds the server's token; None: no token is sent.
        timeout_ms: time limit of a request in milliseconds, for each prompt or each 64 KiB of it.
        retry_ms: minimum time in milliseconds between two checks whether the server is back.

    Raises:
        ConfigError: an argument is out of range, the environment variable of the token is not
            set, or the address belongs to something other than `routellm serve`.
        MissingExtraError: httpcore is not installed.
    """
    server = server_of(url, token_env, timeout_ms, retry_ms)
    try:
        description = server.describe()
    except ServerAwayError:
        return AwayRouter(server)
    logger.info(
        "router 'remote': %s scores with '%s' (%s)",
        *(server.url, description.router, description.fingerprint),
    )
    return RemoteRouter(server, description)


class RemoteRouter(Router):
    """Gets scores from a server, identical to those of its router.

    A call of ``score`` is one request, or several if there are more prompts than the server takes
    at once. When the server loads another checkpoint, its scores are refused until this router is
    loaded again, because thresholds belong to the previous checkpoint. Thread-safe and fork-safe.

    Args:
        server: the client of the server.
        description: the server's description of its router.
    """

    def __init__(self, server: ScoringServer, description: Description) -> None:
        self._server = server
        self._description = description
        self._is_stale = False

    def score(self, prompts: Sequence[str]) -> NDArray[np.float64]:
        """Return the strong win rate of each prompt: shape (n,), each in [0, 1].

        Raises:
            ServerAwayError: the server does not answer.
            ScoringError: the server fails, or now scores with another router or checkpoint.
        """
        values: list[float] = []
        for some in self._requests(prompts):
            answer = self._server.scores(some)
            if answer.fingerprint != self.fingerprint:
                self._is_stale = True
                raise ScoringError(f"{self._server.url} now scores with another checkpoint")
            values.extend(answer.values)
        try:
            return np.array(values, np.float64)
        except (TypeError, ValueError) as error:
            raise ScoringError(f"{self._server.url} does not answer with numbers") from error

    @property
    def score_quantiles(self) -> NDArray[np.float64] | None:
        """Quantiles of the scores, as the server reports them."""
        return self._description.score_quantiles

    @property
    def is_stale(self) -> bool:
        return self._is_stale

    @property
    def fingerprint(self) -> str | None:
        """The fingerprint of the server's router, so that calibration files are valid for both."""
        return self._description.fingerprint

    def _requests(self, prompts: Sequence[str]) -> Iterator[list[str]]:
        """Yield the prompts of each request, within the server's limits."""
        some: list[str] = []
        size = _AROUND
        for prompt in prompts:
            more = len(json.dumps(prompt)) + 2 if len(prompts) > 1 else 0
            full = len(some) == self._description.max_prompts
            if some and (full or size + more > self._description.max_bytes):
                yield some
                some, size = [], _AROUND
            some.append(prompt)
            size += more
        if some:
            yield some


class AwayRouter(Router):
    """Stands in for the router of a server that did not answer when it was loaded.

    Args:
        server: the client of the server, which checks whether it is back.
    """

    is_stand_in = True

    def __init__(self, server: ScoringServer) -> None:
        self._server = server

    def score(self, prompts: Sequence[str]) -> NDArray[np.float64]:
        """Raise an error: without the server there is no score, and no threshold.

        Raises:
            ServerAwayError: always.
        """
        self._server.breaker.check()
        raise ServerAwayError(
            f"{self._server.url} is available again, and its router is being loaded"
        )

    @property
    def is_stale(self) -> bool:
        """Whether the server is back."""
        return not self._server.breaker.is_open
