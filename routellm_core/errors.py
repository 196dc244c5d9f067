"""The errors this package raises. Every message says what to do next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_SHORT = 12


class RouteLLMError(Exception):
    """Base of every error raised here on purpose."""


class ConfigError(RouteLLMError, ValueError):
    """A setting is missing, unknown or out of range."""


class CheckpointError(RouteLLMError):
    """A checkpoint is missing, damaged, or was made with another encoder."""


class DataError(RouteLLMError, ValueError):
    """A training or evaluation file cannot be used as it is."""


class PluginError(RouteLLMError):
    """A plugin failed to import, misspelt a hook, or took a name that is taken."""


class MissingExtraError(RouteLLMError, ImportError):
    """An optional dependency is not installed; the message names the extra."""


class ScoringError(RouteLLMError):
    """A router returned something that is no strong win rate."""


class ScoringTimeoutError(ScoringError):
    """Scoring exceeded its time budget, or every scoring thread is stuck."""


class ServerAwayError(ScoringError):
    """The server that scores does not answer."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the end of an error message: the nearest known name, or all of a short list.

    Args:
        word: what the user wrote.
        known: the names that would have been right.
    """
    names = sorted(known)
    folded = word.casefold()
    near = [name for name in names if name.casefold() == folded]
    near = near or difflib.get_close_matches(word, names, n=1)
    if near:
        return f"did you mean '{near[0]}'?"
    return f"known: {', '.join(names[:_SHORT])}" + (", ..." if len(names) > _SHORT else "")
