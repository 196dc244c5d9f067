"""``GET /routellm/status`` of a proxy: what each alias does, beside what was meant."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from routellm_core.policy.policies import apolicy_of

if TYPE_CHECKING:
    from ..config.routes import Route

PATH = "/routellm/status"


def serve_status(app: Any, routes: Callable[[], Iterable[Route]]) -> None:
    """Let a proxy answer ``PATH``, for whoever may call its admin's endpoints; once only.

    Args:
        app: the proxy's FastAPI application; whatever else it is, nothing is served.
        routes: gives the routed aliases as they are now.
    """
    served = getattr(getattr(app, "router", None), "routes", None)
    if served is None or any(getattr(route, "path", None) == PATH for route in served):
        return
    from fastapi import Depends
    from litellm.proxy.auth.user_api_key_auth import user_api_key_auth

    async def status() -> dict[str, Any]:
        return {"process": os.getpid(), "aliases": [await _status(each) for each in _told(routes)]}

    app.add_api_route(PATH, status, dependencies=[Depends(user_api_key_auth)])
    served.insert(0, served.pop())  # before what LiteLLM serves under any path


def _told(routes: Callable[[], Iterable[Route]]) -> list[Route]:
    """Return the routes but for wildcards, which have no policy of their own."""
    return [route for route in routes() if "*" not in route.name]


async def _status(route: Route) -> dict[str, Any]:
    policy = await apolicy_of(route.settings)
    return {"alias": route.name, **asdict(policy.status())}
