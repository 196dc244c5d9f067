"""What of a text is kept: all of it, what a user's own function leaves, or its digest alone."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from typing import Any

from ...data.digests import sha256_of
from ...errors import ConfigError
from .kept import Answer, Request

logger = logging.getLogger(__name__)

Redact = Callable[[str], str]
"""Returns a text without what must not be kept."""


class Keeping:
    """Turns requests and answers into what may be kept of them.

    A text that ``redact`` fails on is not kept, nor is its digest.

    Args:
        texts: whether texts are kept; False: their digests alone.
        redact: is called with every text before anything of it is kept, digests included.
        route: whose texts they are, for messages.
    """

    def __init__(self, texts: bool = True, redact: Redact | None = None, route: str = "") -> None:
        self._route = route
        self._texts = texts
        self._redact = redact
        self._failed = False

    def request(self, request: Request) -> Request:
        """Return what is kept of a request."""
        prompt = self._redacted(request.prompt)
        messages = self._inside(request.messages) if self._texts else ()
        digest = None if prompt is None else sha256_of(prompt)
        prompt = prompt if self._texts else None
        return replace(request, prompt=prompt, prompt_sha256=digest, messages=messages or ())

    def answer(self, answer: Answer) -> Answer:
        """Return what is kept of an answer."""
        text = self._redacted(answer.text)
        digest = None if text is None else sha256_of(text)
        return replace(answer, text=text if self._texts else None, text_sha256=digest)

    def _redacted(self, text: str | None) -> str | None:
        if text is None or self._redact is None:
            return text
        try:
            kept: object = self._redact(text)
        except Exception as error:
            self._say(place_of(error))
            return None
        if isinstance(kept, str):
            return kept
        self._say(f"it returned a {type(kept).__name__}, and no text")
        return None

    def _say(self, why: str) -> None:
        """Log the first failure."""
        if not self._failed:
            self._failed = True
            logger.error(
                "shadow mode of '%s': 'redact' failed (%s): such texts are not kept; further "
                "failures are not logged",
                self._route,
                why,
            )

    def _inside(self, value: Any) -> Any:
        """Return messages with each text in them redacted."""
        if self._redact is None:
            return value
        if isinstance(value, str):
            return self._redacted(value)
        if isinstance(value, Mapping):
            # What the words around a text are called is the API's, and no one's secret.
            return {k: v if k in ("role", "type") else self._inside(v) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._inside(each) for each in value]
        return value


def redact_of(path: str) -> Redact:
    """Return the function at a dotted path, such as ``my_company.privacy.redact``.

    Raises:
        ConfigError: there is none.
    """
    module, _, name = path.rpartition(".")
    try:
        found = getattr(import_module(module), name)
    except Exception as error:
        raise ConfigError(
            f"'redact' is '{path}', which cannot be imported ({type(error).__name__}: {error}): "
            "write module.function, of a module on PYTHONPATH"
        ) from error
    if not callable(found):
        raise ConfigError(f"'redact' is '{path}', which is not a function: write module.function")
    redact: Redact = found
    return redact


def place_of(error: BaseException) -> str:
    """Return of which type an error is and where it was raised, and not its message, which may
    quote the text that must not be kept.
    """
    places = traceback.extract_tb(error.__traceback__)
    where = f" at {places[-1].filename}:{places[-1].lineno}" if places else ""
    return f"{type(error).__name__}{where}"
