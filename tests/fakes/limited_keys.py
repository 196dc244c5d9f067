"""Keys of a LiteLLM proxy without a database: a custom auth that knows a few."""

from __future__ import annotations

from fastapi import Request
from litellm.proxy._types import LitellmUserRoles, UserAPIKeyAuth

KEYS = {
    "sk-limited": {"metadata": {"model_rpm_limit": {"limited": 2}}},
    "sk-limited-router": {"metadata": {"model_rpm_limit": {"limited": 2}}},
    "sk-of-the-alias": {"models": ["gpt-4o-router"]},
}


async def authenticate(request: Request, api_key: str) -> UserAPIKeyAuth:
    known = KEYS.get(api_key, {"user_role": LitellmUserRoles.PROXY_ADMIN})
    return UserAPIKeyAuth(api_key=api_key, token=api_key, **known)
