"""Ask a model through an OpenAI-compatible server, at a pace, within a budget."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...openai_client import Server
from ...optional import require
from ...rules.prices import Price

Messages = list[dict[str, str]]


@dataclass(frozen=True)
class Reply:
    """What a model answered."""

    text: str
    input_tokens: int
    output_tokens: int
    refused: bool = False
    """Whether the server says that the model refused, or that a filter stopped it."""


class AskError(Exception):
    """A call failed. The text says how, without the prompt.

    Args:
        why: what went wrong, such as ``timed out``.
        hopeless: whether every other call of this model would fail too.
    """

    def __init__(self, why: str, *, hopeless: bool = False) -> None:
        super().__init__(why)
        self.hopeless = hopeless


class StopError(Exception):
    """No further call may be made. The text says why and what to do."""


@dataclass(frozen=True)
class Model:
    """A model on a server."""

    name: str
    server: Server
    price: Price | None = None

    def cost(self, reply: Reply) -> float | None:
        """Return what a reply cost, in dollars; None where the price is not known."""
        if self.price is None:
            return None
        return (
            reply.input_tokens * self.price.given + reply.output_tokens * self.price.answered
        ) / 1e6


@dataclass
class Purse:
    """What was spent, and whether more may be.

    Calls that are in flight when the limit is reached are still paid.
    """

    limit: float | None = None
    """In dollars."""
    spent: float = 0.0
    """Of this run and those before it."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def check(self) -> None:
        """Raise StopError if nothing more may be spent."""
        if self.limit is not None and self.spent >= self.limit:
            raise StopError(
                f"${self.spent:.4f} of --max-cost {self.limit:g} is spent: to continue, run it "
                "again with more"
            )

    def pay(self, cost: float | None) -> None:
        """Add a cost in dollars."""
        with self._lock:
            self.spent += cost or 0.0


class Pace:
    """Lets calls through at most so often.

    Args:
        per_minute: calls; None: any number.
    """

    def __init__(self, per_minute: float | None) -> None:
        self._seconds = 60 / per_minute if per_minute else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self, stopped: threading.Event) -> None:
        """Wait for this call's turn, or until ``stopped`` is set."""
        if not self._seconds:
            return
        with self._lock:
            now = time.monotonic()
            turn = max(self._next, now)
            self._next = turn + self._seconds
        stopped.wait(turn - now)


class Asker:
    """Asks models, each through one client.

    Args:
        timeout_s: of an attempt, in seconds.
        retries: of a call that failed, with pauses that grow.
        max_tokens: of an answer; None: the model's own limit.
    """

    def __init__(self, *, timeout_s: float, retries: int, max_tokens: int | None) -> None:
        self._timeout_s = timeout_s
        self._retries = retries
        self._max_tokens = max_tokens
        self._clients: dict[Server, Any] = {}
        self._openai = require("openai", "openai", "labelling")

    def prepare(self, model: Model) -> None:
        """Make the client of a model's server.

        Raises:
            ConfigError: its key is not set.
            MissingExtraError: the package ``openai`` is not installed.
        """
        if model.server not in self._clients:
            self._clients[model.server] = model.server.client(
                f"the model '{model.name}'", timeout_s=self._timeout_s, max_retries=self._retries
            )

    def ask(self, model: Model, messages: Messages) -> Reply:
        """Return the answer to a request.

        Args:
            model: whom to ask.
            messages: of the request.

        Raises:
            AskError: there is none.
        """
        limits: dict[str, Any] = {"max_tokens": self._max_tokens} if self._max_tokens else {}
        try:
            done = self._clients[model.server].chat.completions.create(
                model=model.name, messages=messages, **limits
            )
            choice = done.choices[0]
            usage = done.usage
            refusal = getattr(choice.message, "refusal", None)
            return Reply(
                choice.message.content or refusal or "",
                int(usage.prompt_tokens) if usage else 0,
                int(usage.completion_tokens) if usage else 0,
                bool(refusal) or choice.finish_reason == "content_filter",
            )
        except self._openai.APITimeoutError as error:
            raise AskError(f"timed out after {self._timeout_s:g} s") from error
        except self._openai.APIStatusError as error:
            if any(code in str(getattr(error, "code", "")) for code in _FILTERED):
                return Reply("", 0, 0, True)
            raise _status_error(error) from error
        except self._openai.APIConnectionError as error:
            raise AskError(f"no connection to {model.server.base_url}") from error
        except (IndexError, TypeError, ValueError, AttributeError) as error:
            raise AskError("the server's answer is not a chat completion") from error


_FILTERED = ("content_filter", "content_policy")
"""In the codes of errors by which servers refuse."""


def _status_error(error: Any) -> AskError:
    status = int(error.status_code)
    body = error.body if isinstance(error.body, Mapping) else {}
    said = " ".join(str(body.get("message") or getattr(error, "message", "")).split())[:200]
    lower = f"{said} {getattr(error, 'code', '')} {getattr(error, 'type', '')}".lower()
    broke = status == 402 or "insufficient_quota" in lower or "budget" in lower
    why = f"HTTP {status}" + (f" ({said})" if said else "")
    if broke:
        return AskError(f"out of money: {why}", hopeless=True)
    if status == 429:
        why += ", too many requests: lower --requests-per-minute or --workers"
    return AskError(why, hopeless=status in (401, 403, 404))


Ask = Callable[[Model, Messages], Reply]
"""Asks a model, or raises AskError or StopError."""
