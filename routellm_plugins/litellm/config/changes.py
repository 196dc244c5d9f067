"""Notice that a Router's model list says something else about routing than before."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterable, Mapping, Sequence
from operator import is_
from typing import Any

from .placeholder import MARKER_MODEL

LOOK_S = 1.0
"""How long an ordinary entry that was edited in place may go unnoticed. LiteLLM puts a new entry
in place of one that it changes, which is noticed at once."""

_EMPTY: Mapping[str, Any] = {}
_ABILITIES = (
    *("base_model", "max_input_tokens", "supports_vision", "supports_audio_input"),
    *("supports_video_input", "supports_pdf_input", "supports_function_calling"),
)

_Entries = Sequence[Mapping[str, Any]]


class ModelListChanges:
    """Compares a model list with what it was when it was last read.

    That is done for each request of a proxy, whatever it asks for, so the entries of a long list
    are not read each time: only those with settings of ours are.
    """

    def __init__(self) -> None:
        self._entries: _Entries = ()
        self._parts: object = None
        self._own: _Entries = ()
        self._own_parts: object = None
        self._next_look = 0.0

    def any_in(self, entries: _Entries) -> bool:
        """Return whether a model list has changed since it was last noted."""
        if len(entries) != len(self._entries) or not all(map(is_, entries, self._entries)):
            return True  # although it may say the same about routing: what follows from it may not
        now = time.monotonic()
        if now < self._next_look:
            return _routing_parts(self._own) != self._own_parts
        if _routing_parts(entries) != self._parts:
            return True
        self._next_look = now + LOOK_S
        return False

    def note(self, entries: _Entries) -> None:
        """Compare with a model list as it is now from here on."""
        self._entries = list(entries)
        self._own = [entry for entry in entries if _is_own(entry)]
        self._next_look = time.monotonic() + LOOK_S
        self._parts = copy.deepcopy(_routing_parts(entries))
        self._own_parts = copy.deepcopy(_routing_parts(self._own))

    def forget(self) -> None:
        """Take any model list for a changed one."""
        self._parts = self._own_parts = None


def _is_own(entry: Mapping[str, Any]) -> bool:
    marked = (entry.get("litellm_params") or _EMPTY).get("model") == MARKER_MODEL
    return marked or "routellm" in (entry.get("model_info") or _EMPTY)


def _routing_parts(entries: Iterable[Mapping[str, Any]]) -> list[tuple[object, ...]]:
    """Return what ``Routes`` reads of entries, with what LiteLLM is told of a model's abilities."""
    return [
        (
            entry.get("model_name"),
            (params := entry.get("litellm_params") or _EMPTY).get("model"),
            params.get("guardrails"),
            params.get("configurable_clientside_auth_params"),
            (info := entry.get("model_info") or _EMPTY).get("routellm"),
            "routellm" in info,
            info.get("team_id"),
            info.get("team_public_model_name"),
            info.get("blocked"),
            *map(info.get, _ABILITIES),
        )
        for entry in entries
    ]
