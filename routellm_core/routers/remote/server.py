"""The client of a scoring server."""

from __future__ import annotations

import json
import math
import os
import threading
import time
import uuid
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from ...breaker import Breaker
from ...errors import ConfigError, ScoringError
from ...optional import require
from .wire import ABSENT, BUSY, ROUTER, SCORE

WHY = "the router 'remote'"
TOKEN = "letters, digits and signs of ASCII, without spaces"
_PER_BUDGET = 65_536
"""Bytes of a request."""
_NO_SERVER = "is this a server of `routellm serve`?"


@dataclass(frozen=True)
class Description:
    """What a server tells of the router that it scores with."""

    router: str
    fingerprint: str | None
    score_quantiles: NDArray[np.float64] | None
    max_prompts: int
    """Most prompts of a request."""
    max_bytes: int
    """Most bytes of the body of a request."""


@dataclass(frozen=True)
class Scores:
    """What a server answers to prompts."""

    values: list[float]
    fingerprint: str | None


class ScoringServer:
    """Asks one server. Thread-safe and fork-safe.

    Nothing is sent anywhere but to ``url``: redirects are not followed, and proxies of the
    environment are not used. Prompts are neither logged nor in errors.

    Args:
        url: address of the server, such as ``http://scoring:8100``.
        token_env: environment variable that holds its token; None: no token is sent.
        timeout_ms: time limit of a request, in milliseconds, for each prompt in it or, where that
            is more, each 64 KiB: a long text of one user must not count as absence.
        retry_ms: least milliseconds between two looks whether the server is back.

    Raises:
        ConfigError: an argument is out of range, or the variable of the token is not set.
        MissingExtraError: httpcore is not installed.
    """

    def __init__(self, url: str, token_env: str | None, timeout_ms: float, retry_ms: float) -> None:
        self._httpcore: Any = require("httpcore", "serve", WHY)
        _check(url, timeout_ms, retry_ms)
        self.url = url.rstrip("/")
        self._headers = {
            "content-type": "application/json",
            **_authorization(token_env, self.url),
        }
        self._timeout_s = timeout_ms / 1000
        self.breaker = Breaker(f"the scoring server {self.url}", retry_ms / 1000, self._answers)
        self.renew()
        _servers.add(self)

    def renew(self) -> None:
        """Forget locks and connections, in a forked child, which must not use its parent's."""
        self._lock = threading.Lock()
        self._pool: Any = None
        self.breaker.renew()

    def describe(self) -> Description:
        """Ask what the server scores with.

        Raises:
            ConfigError: it refuses the token, or answers as no scoring server does.
            ServerAwayError: it does not answer.
        """
        response = self._asked("GET", ROUTER)
        if response.status in (401, 403):
            raise ConfigError(
                f"{WHY}: {self.url} refuses the token ({response.status}): set token_env to "
                "the name of the environment variable that holds the server's"
            )
        description = _described(_object(response))
        if response.status != 200 or description is None:
            raise ConfigError(
                f"{WHY}: {self.url} did not answer as expected ({response.status}): {_NO_SERVER}"
            )
        return description

    def scores(self, prompts: Sequence[str]) -> Scores:
        """Return the scores of prompts, which the caller keeps within the server's limits.

        Raises:
            ServerAwayError: the server does not answer.
            ScoringError: it fails, refuses, or answers something else.
        """
        content = content_of(prompts)
        budgets = max(len(prompts), 1 + len(content) // _PER_BUDGET)
        response = self._asked("POST", SCORE, content, budgets)
        answer = _object(response)
        if response.status != 200:
            raise ScoringError(f"{self.url} gives no score ({_refusal(response, answer)})")
        values, fingerprint = answer.get("scores"), answer.get("fingerprint")
        if not isinstance(values, list) or len(values) != len(prompts):
            raise ScoringError(f"{self.url} did not answer with scores: {_NO_SERVER}")
        return Scores(values, fingerprint)

    def _asked(self, method: str, path: str, content: bytes | None = None, budgets: int = 1) -> Any:
        """Return the response to a request, whatever its status but those of an absent server."""
        self.breaker.check()
        began = time.monotonic()
        timeout_s = self._timeout_s * budgets
        core = self._httpcore
        try:
            response = self._sent(method, path, content, timeout_s)
        except core.TimeoutException as error:
            why = f"no answer within {timeout_s * 1000:g} ms"
            raise self.breaker.failed(why, began) from error
        except (core.NetworkError, core.ProtocolError) as error:
            why = str(error) or type(error).__name__
            raise self.breaker.failed(why, began) from error
        if response.status in ABSENT:
            raise self.breaker.failed(f"status {response.status}", began)
        return response

    def _sent(self, method: str, path: str, content: bytes | None, timeout_s: float) -> Any:
        limits = dict.fromkeys(("connect", "read", "write", "pool"), timeout_s)
        request = {
            "method": method,
            "url": self.url + path,
            "headers": self._headers,
            "content": content,
            "extensions": {"timeout": limits},
        }
        pool = self._connections()
        try:
            return pool.request(**request)
        except (self._httpcore.NetworkError, self._httpcore.ProtocolError):
            # The server may have closed a connection that was kept: nothing was scored on it, and
            # scoring twice does no harm.
            return pool.request(**request)

    def _answers(self) -> bool:
        """Whether the server scores; asked with words that no cache has."""
        content = content_of([f"Are you there? {uuid.uuid4()}"])
        core = self._httpcore
        try:
            response = self._sent("POST", SCORE, content, self._timeout_s)
        except (core.TimeoutException, core.NetworkError, core.ProtocolError):
            return False
        return response.status not in ABSENT

    def _connections(self) -> Any:
        with self._lock:
            if self._pool is None:
                # Follows no redirect, and uses no proxy of the environment.
                self._pool = self._httpcore.ConnectionPool(
                    max_connections=None, max_keepalive_connections=64, keepalive_expiry=30.0
                )
            return self._pool


@cache
def server_of(url: str, token_env: str | None, timeout_ms: float, retry_ms: float) -> ScoringServer:
    """Return the client of a server, one for everyone in this process, who then know together
    whether it is away.

    Raises:
        ConfigError: as ``ScoringServer``.
        MissingExtraError: as ``ScoringServer``.
    """
    return ScoringServer(url, token_env, timeout_ms, retry_ms)


def content_of(prompts: Sequence[str]) -> bytes:
    """Return the body that asks for scores. Any string arrives as it is, lone surrogates too."""
    return json.dumps({"prompts": list(prompts)}).encode("ascii")


def is_token(token: str) -> bool:
    """Whether a header of HTTP can bear it."""
    return token.isascii() and token.isprintable() and " " not in token


def _check(url: object, timeout_ms: object, retry_ms: object) -> None:
    try:
        parts = urlsplit(url) if isinstance(url, str) and url.isascii() else None
        sound = parts and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:  # of a port that is none
        sound = parts = None
    if parts is None or not sound or parts.scheme not in ("http", "https"):
        raise ConfigError(
            f"{WHY}: url is {url!r:.200}: write the server's address, such as http://scoring:8100"
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError(
            f"{WHY}: write url without a password, '?' and '#', and the token in an environment "
            "variable that token_env names"
        )
    for name, value in (("timeout_ms", timeout_ms), ("retry_ms", retry_ms)):
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not 0 < float(str(value)) < math.inf:
            raise ConfigError(f"{WHY}: {name} is {value!r}: write a number of milliseconds above 0")


def _authorization(token_env: str | None, url: str) -> dict[str, str]:
    if token_env is None:
        return {}
    token = os.environ.get(token_env, "").strip()
    if not token:
        raise ConfigError(f"{WHY} has no token for {url}: set {token_env}")
    if not is_token(token):
        raise ConfigError(f"{WHY}: {token_env} does not hold a token: {TOKEN}")
    return {"authorization": f"Bearer {token}"}


def _object(response: Any) -> Mapping[str, Any]:
    try:
        answer = json.loads(response.content)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _refusal(response: Any, answer: Mapping[str, Any]) -> str:
    if response.status == BUSY:
        return "it is busy"
    return f"{response.status}: {answer.get('error', _NO_SERVER)!s:.200}"


def _described(answer: Mapping[str, Any]) -> Description | None:
    router, fingerprint = answer.get("router"), answer.get("fingerprint")
    most, largest = answer.get("max_prompts"), answer.get("max_bytes")
    quantiles = answer.get("score_quantiles")
    if not isinstance(router, str) or not isinstance(fingerprint, (str, type(None))):
        return None
    if not isinstance(most, int) or not isinstance(largest, int) or min(most, largest) < 1:
        return None
    found = None
    if quantiles is not None:
        try:
            found = np.array(quantiles, np.float64)
        except (TypeError, ValueError):
            return None
        in_order = found.ndim == 1 and len(found) > 1 and bool((np.diff(found) >= 0).all())
        if not in_order or not 0 <= found[0] <= found[-1] <= 1:
            return None
    return Description(router, fingerprint, found, most, largest)


_servers: weakref.WeakSet[ScoringServer] = weakref.WeakSet()


def _renew_all() -> None:
    for server in list(_servers):
        server.renew()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_renew_all)
