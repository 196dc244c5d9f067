"""Parameters of a request that only one of a route's groups takes."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import litellm
from litellm.constants import OPENAI_CHAT_COMPLETION_PARAMS
from litellm.exceptions import UnsupportedParamsError

from routellm_core import Tier

from ..config.routes import Route

logger = logging.getLogger(__name__)

CALLS = ("acompletion", "atext_completion")
"""The kinds of calls whose parameters LiteLLM checks against the model."""

_CHECKED = frozenset(OPENAI_CHAT_COMPLETION_PARAMS) - {
    "model",
    "messages",
    "stream",
    "user",
}


def drop_unsupported(
    data: dict[str, Any],
    route: Route,
    tier: Tier,
    models_of: Callable[[str | None], Sequence[str]],
) -> None:
    """Remove from a request what the chosen group does not take and the other does.

    Its client cannot know which of them will answer. What neither takes stays, so that the client
    gets the error that either group would give.

    Args:
        data: the body of a completion; its numbers, short texts and truth values are looked at.
        route: its route.
        tier: the tier that was chosen.
        models_of: gives the models that the entries of a name call.
    """
    names = [name for name in data if name in _CHECKED and _is_small(data[name])]
    if not names:
        return
    chosen = models_of(route.entries[tier])
    other = models_of(route.entries["weak" if tier == "strong" else "strong"])
    if not chosen or not other:
        return
    for name in names:
        if not _any_takes(chosen, name, data[name]) and _any_takes(other, name, data[name]):
            logger.debug("'%s' was left out, which %s does not take", name, chosen)
            del data[name]


def _is_small(value: object) -> bool:
    # What was asked about is remembered, and clients choose it.
    return isinstance(value, (int, float)) or (isinstance(value, str) and len(value) <= 32)


def _any_takes(models: Iterable[str], name: str, value: object) -> bool:
    return any(_takes(model, name, value) for model in models)


@functools.lru_cache(maxsize=4096, typed=True)
def _takes(model: str, name: str, value: object) -> bool:
    """Ask LiteLLM itself, whose list of a model's parameters is less exact than its check."""
    try:
        model, provider, _, _ = litellm.get_llm_provider(model)
        litellm.get_optional_params(
            model=model, custom_llm_provider=provider, drop_params=False, **{name: value}
        )
    except UnsupportedParamsError:
        return False
    except Exception:  # an unknown model, or a check of something else: the provider decides
        return True
    return True
