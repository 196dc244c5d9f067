"""What a request needs of the model that serves it, whichever endpoint it came by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from routellm_core import Tier
from routellm_core.rules.contents import contents_of
from routellm_core.rules.fits import Abilities, Needs, lacking

_MESSAGES = ("messages", "input", "prompt", "contents")
"""Where the APIs have a conversation."""
_INSTRUCTIONS = ("system", "instructions", "systemInstruction", "system_instruction")
"""Where they have the system prompt, if it is no message."""
_TOOLS = ("tools", "functions")


def lacking_for(
    request: Mapping[str, Any],
    messages: Sequence[Any] | None,
    models: Mapping[Tier, Abilities],
) -> dict[Tier, str]:
    """Return what each model lacks for a request, of those that cannot serve it.

    Args:
        request: its body.
        messages: the conversation, if it is not in the body.
        models: what is known of each.
    """
    return lacking(needs_of(request, messages), models) if models else {}


def needs_of(request: Mapping[str, Any], messages: Sequence[Any] | None = None) -> Needs:
    """Return what a request needs; takes time linear in its parts.

    Args:
        request: its body.
        messages: the conversation, if it is not in the body.
    """
    names = _INSTRUCTIONS if messages is not None else (*_MESSAGES, *_INSTRUCTIONS)
    read = contents_of(value for value in (messages, *map(request.get, names)) if value)
    return read.needs(tool for name in _TOOLS for tool in _listed(request.get(name)))


def _listed(value: object) -> Iterable[object]:
    return value if isinstance(value, list) else ()
