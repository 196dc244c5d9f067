"""Routing settings of a model_list entry where nobody reads them, so that it is not routed."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

KEY = "routellm"
"""The key of ``model_info`` that holds the settings of an entry."""


def misplaced(entry: Mapping[str, Any]) -> str | None:
    """Return where an entry without ``model_info.routellm`` has such settings; None if it has none.

    LiteLLM would serve it by the model in its ``litellm_params``.
    """
    params = entry.get("litellm_params")
    for where, holder in (("the entry itself", entry), ("'litellm_params'", params)):
        if isinstance(holder, Mapping) and KEY in holder:
            return f"'{KEY}' is in {where}: write it in 'model_info'"
    info = entry.get("model_info")
    if not isinstance(info, Mapping):
        return None
    if _names_groups(info):
        return f"'strong' and 'weak' are in 'model_info': write model_info: {{{KEY}: {{...}}}}"
    for name in info:
        if _names_groups(info[name]) and difflib.get_close_matches(str(name).lower(), [KEY]):
            return f"unknown key '{name}' in 'model_info': did you mean '{KEY}'?"
    return None


def without_name(place: int, entry: Mapping[str, Any]) -> str:
    """Return what is wrong with a routed entry that has no name.

    Args:
        place: of the entry in the ``model_list``, from 1.
        entry: whose ``model_name`` is not a text.
    """
    name = entry.get("model_name")
    wrong = "is missing" if name is None else f'is {name!r}: write it in quotes, "{name}"'
    return f"model_list entry {place}: 'model_name' {wrong}"


def _names_groups(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(value.get(key), str) for key in ("strong", "weak")
    )
