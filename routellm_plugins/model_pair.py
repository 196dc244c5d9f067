"""Mistakes in a pair of models that show in what they are called; needs no framework."""

from __future__ import annotations

import logging
import re

from routellm_core import ConfigError
from routellm_core.settings import S, belonging_to, with_prices

logger = logging.getLogger(__name__)

_LADDERS: tuple[tuple[str, ...], ...] = (
    ("nano", "mini", "", "pro"),
    ("haiku", "sonnet", "opus"),
    ("flash lite", "flash", "pro"),
    ("micro", "lite", "pro", "premier"),
    ("tiny", "mini", "small", "medium", "large"),
    ("lite", ""),
    ("light", ""),
    ("small", ""),
)
"""Words for the sizes of one family, from the smallest; an empty one is no word at all."""

_PROVIDER = re.compile(r"^(?:[a-z][a-z_]*:)?(?:.*/)?")
_BETWEEN = re.compile(r"[-_:@\s]+")
_NOT_THE_MODEL = re.compile(r"latest|preview|exp|\d{2}|20\d{2}|\d{6,}")
"""Dates and the like, by which releases of one model differ. Two digits: a month or a day. Four
that are no year, as in 'mistral-medium-2505', are a version: a later one can be the better model.
"""
_PARAMETERS = re.compile(r"(\d+(?:\.\d+)?)b")


# fmt: off
_OF_MODELS = (
    "api_key", "base_url", "timeout", "request_timeout", "max_retries", "model_provider",
    "default_headers", "temperature", "max_tokens", "max_completion_tokens", "top_p", "top_k",
    "n", "seed", "stop", "frequency_penalty", "presence_penalty", "logit_bias", "logprobs",
    "reasoning_effort", "model_kwargs", "extra_body", "context_window",
)
# fmt: on
"""What most clients of models take, for models of which only the name is known."""


def is_for_models(name: str, *models: object) -> bool:
    """Return whether an argument is one that models take, and not the routing.

    Args:
        name: of the argument.
        models: objects of pydantic classes, or anything else, of which nothing is known.
    """
    for model in models:
        for field, info in (getattr(type(model), "model_fields", None) or {}).items():
            if name in (field, info.alias):
                return True
    return name in _OF_MODELS


def settings_of_pair(settings: S, strong_name: str | None, weak_name: str | None) -> S:
    """Return settings that belong to a pair of models, with the prices of those, unless they have
    prices already.

    Args:
        settings: validated.
        strong_name: what the strong model is called at its provider; None if that is not known.
        weak_name: what the weak model is called at its provider.
    """
    owner = " | ".join(filter(None, (strong_name, weak_name)))
    return belonging_to(with_prices(settings, strong_name, weak_name), owner)


def check_pair(
    strong: object, weak: object, strong_name: str | None = None, weak_name: str | None = None
) -> None:
    """Check a pair of models for mistakes that show in their names.

    The same model twice is refused. Two names that differ by size alone, the smaller one given as
    the strong model, are logged as a warning: it may be the better one, if it was fine-tuned.

    Args:
        strong: what the user gave as the strong model, a name or an object.
        weak: what the user gave as the weak model.
        strong_name: what the strong model is called at its provider; None if that is not known.
        weak_name: what the weak model is called at its provider.

    Raises:
        ConfigError: both are the same model.
    """
    if strong is weak or (isinstance(strong, str) and strong == weak):
        called = f" '{strong_name}'" if strong_name else ""
        raise ConfigError(f"'strong' and 'weak' are the same model{called}: name two models")
    if strong_name and weak_name and _is_smaller(strong_name, weak_name):
        logger.warning(
            "by their names, 'strong' ('%s') is a smaller version of 'weak' ('%s'): swap them, "
            "unless the smaller one answers better",
            strong_name,
            weak_name,
        )


def _is_smaller(name: str, other: str) -> bool:
    words, other_words = _words(name), _words(other)
    for ladder in _LADDERS:
        (rung, rest), (other_rung, other_rest) = _on(ladder, words), _on(ladder, other_words)
        if rest == other_rest and -1 < rung < other_rung:
            return True
    return _has_fewer_parameters(words, other_words)


def _words(name: str) -> list[str]:
    model = _PROVIDER.sub("", name.lower(), count=1)
    return [word for word in _BETWEEN.split(model) if not _NOT_THE_MODEL.fullmatch(word)]


def _on(ladder: tuple[str, ...], words: list[str]) -> tuple[int, list[str]]:
    """Return the rung that words name and the words without it; -1 for none."""
    for rung in sorted(range(len(ladder)), key=lambda at: -len(ladder[at])):
        size = ladder[rung].split()
        if all(word in words for word in size):
            return rung, [word for word in words if word not in size]
    return -1, words


def _has_fewer_parameters(words: list[str], other_words: list[str]) -> bool:
    if len(words) != len(other_words):
        return False
    unlike = [pair for pair in zip(words, other_words, strict=True) if pair[0] != pair[1]]
    sizes = [[_PARAMETERS.fullmatch(word) for word in pair] for pair in unlike]
    if len(sizes) != 1 or sizes[0][0] is None or sizes[0][1] is None:
        return False
    return float(sizes[0][0][1]) < float(sizes[0][1][1])
