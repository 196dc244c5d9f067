"""Keys of a LiteLLM proxy without a database: a custom auth that knows a few."""

from __future__ import annotations

import json

from fastapi import Request
from litellm.proxy._types import LitellmUserRoles, UserAPIKeyAuth

KEYS = {
    "sk-limited": {"metadata": {"model_rpm_limit": {"limited": 2}}},
    "sk-limited-router": {"metadata": {"model_rpm_limit": {"limited": 2}}},
    "sk-of-the-alias": {"models": ["gpt-4o-router"]},
    "sk-own-strong": {
        "team_metadata": {"model_config": {"gpt-4o": {"openai": {"litellm_credentials": "own"}}}}
    },
    "sk-own-alias": {
        "team_metadata": {
            "model_config": {"gpt-4o-router": {"openai": {"litellm_credentials": "own"}}}
        }
    },
}
"""Of the last two, a team has credentials of its own for a group, and for an alias."""


def budgeted_key(number: int, model: str, dollars: float) -> str:
    """Return a key with a budget for a model, which is different for each number."""
    return f"sk-budget {number} {model} {dollars}"


def made_key(number: int, **values: object) -> str:
    """Return a key with these values, which is different for each number."""
    return f"sk-made {number} {json.dumps(values)}"


async def authenticate(request: Request, api_key: str) -> UserAPIKeyAuth:
    if api_key.startswith("sk-budget "):
        *_, model, dollars = api_key.split()
        budget = {model: {"max_budget": float(dollars), "budget_duration": "1d"}}
        return UserAPIKeyAuth(api_key=api_key, token=api_key, model_max_budget=budget)
    if api_key.startswith("sk-made "):
        values = json.loads(api_key.split(" ", 2)[2])
        return UserAPIKeyAuth(api_key=api_key, token=api_key, **values)
    known = KEYS.get(api_key, {"user_role": LitellmUserRoles.PROXY_ADMIN})
    return UserAPIKeyAuth(api_key=api_key, token=api_key, **known)
