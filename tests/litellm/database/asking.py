"""What tests ask a proxy with a database."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx

from routellm_plugins.demo.proxy_process import ProxyProcess
from tests.litellm.calls import body_of, get, post
from tests.litellm.configs import KEY


def made(proxy: ProxyProcess, what: str, **values: Any) -> dict[str, Any]:
    """Call one of the proxy's endpoints that make something, and return its answer."""
    answer = post(proxy, what, values)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


def changed(
    proxy: ProxyProcess, entry: dict[str, Any], info: dict[str, Any], **params: Any
) -> None:
    """Change the ``model_info`` and parameters of LiteLLM's in an entry that was ``made``."""
    answer = httpx.patch(
        f"{proxy.url}/model/{entry['model_id']}/update",
        headers={"Authorization": f"Bearer {KEY}"},
        json={"model_info": info, "litellm_params": params},
        timeout=60,
    )
    assert answer.status_code == 200, answer.text


def key(proxy: ProxyProcess, **values: Any) -> str:
    return str(made(proxy, "key/generate", **values)["key"])


def ask(
    proxy: ProxyProcess,
    model: str,
    text: str,
    with_key: str,
    endpoint: str = "chat/completions",
    **options: Any,
) -> httpx.Response:
    return post(proxy, f"v1/{endpoint}", body_of(endpoint, model, text, **options), with_key)


def once(found: Callable[[], Any]) -> Any:
    """Wait until there is something."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if (result := found()) is not None:
            return result
        time.sleep(0.5)
    raise AssertionError("it never came")


def listed(proxy: ProxyProcess, name: str) -> Any:
    found = [each for each in get(proxy, "model/info")["data"] if each["model_name"] == name]
    return found[0] if found else None
