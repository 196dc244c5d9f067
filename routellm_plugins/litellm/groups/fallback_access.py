"""Fallbacks between the groups of an alias, for a key that may use the alias and not the groups.

LiteLLM skips a fallback to a model that the key behind a request could not ask for.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping
from typing import Any

from ..reporting.routed_request import routed_request

_MODULE = "litellm.proxy.auth.fallback_model_access"
_CHECK = "RouterFallbackAccessCheck"


def let_groups_fall_back() -> None:
    """Let what was asked of an alias fall back from one of its groups to the other; once only."""
    check: Any = getattr(sys.modules.get(_MODULE), _CHECK, None)
    if check is None or hasattr(check.__call__, "__wrapped__"):
        return
    may_use = check.__call__

    # Of the class, as the proxy's Routers share one check, which cannot be changed.
    @functools.wraps(may_use)
    async def of_alias_or_may_use(
        self: Any, *, model: str, request_kwargs: Mapping[str, Any], **router: Any
    ) -> bool:
        routed = routed_request(request_kwargs)
        if routed is not None and model in routed.own_groups:
            return True
        return bool(await may_use(self, model=model, request_kwargs=request_kwargs, **router))

    check.__call__ = of_alias_or_may_use
