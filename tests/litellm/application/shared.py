"""What tests of an application's own ``litellm.Router`` share, besides the fixtures."""

from __future__ import annotations

from typing import Any

import pytest

WARNINGS = [
    # LiteLLM's own, about its TypedDicts.
    pytest.mark.filterwarnings("ignore:Item.*`ReadOnly` qualifier:UserWarning"),
    # LiteLLM 1.110 leaves loops open on which it ran calls that are not asynchronous.
    pytest.mark.filterwarnings(
        "ignore:.*(function BaseEventLoop.__del__|socket.socket fd=):"
        "pytest.PytestUnraisableExceptionWarning"
    ),
    # What the tests themselves call; the adapter keeps to members that are not deprecated.
    pytest.mark.filterwarnings(
        "ignore:Router.(add_deployment|delete_deployment|discard|get_model_list|model_group_alias|"
        "get_deployment_credentials_with_provider|model_list|update_settings|upsert_deployment) "
        "is deprecated"
    ),
]


def user(prompt: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": prompt}]


def answered_by(answer: Any) -> str:
    return (answer.choices[0].message.content or "").split(" ")[0]
