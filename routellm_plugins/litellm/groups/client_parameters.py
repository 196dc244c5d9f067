"""Addresses and credentials that clients set for an alias, held to what its groups permit.

LiteLLM checks them with the key of a request, before anything is chosen, by the entry of the name
that is asked for.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

from litellm.exceptions import BadRequestError

from ..config.routes import Route

_MODULE = "litellm.proxy.auth.auth_utils"
_CHECK = "_allow_model_level_clientside_configurable_parameters"


def let_groups_permit(find: Callable[[str], Route | None]) -> None:
    """Permit to set for an alias what both of its groups permit; once only.

    What one group alone permits would reach the other as well, whose key a client could then have
    sent to an address of its own. The groups are asked as they are now: the entry of an alias may
    not follow them yet, and that of a pattern does not, since LiteLLM keeps a copy of it.

    Args:
        find: returns the route of a model name, None if it is not routed; raises
            ``litellm.BadRequestError`` if its entry has a mistake.
    """
    auth = sys.modules.get(_MODULE)
    check: Any = getattr(auth, _CHECK, None)
    if check is None or hasattr(check, "__wrapped__"):
        return

    @functools.wraps(check)
    def both_permit(model: str, **given: Any) -> bool:
        try:
            route = find(model)
        except BadRequestError:
            return False
        if route is None:
            return bool(check(model=model, **given))
        return all(check(model=group, **given) for group in route.groups)

    setattr(auth, _CHECK, both_permit)
