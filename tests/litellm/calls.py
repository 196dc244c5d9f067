"""Requests to a proxy by each of the endpoints that clients use."""

from __future__ import annotations

from typing import Any

import httpx

from routellm_plugins.demo.proxy_process import ProxyProcess
from tests.litellm.configs import KEY

ENDPOINTS = ("chat/completions", "completions", "messages", "responses")


def body_of(endpoint: str, model: str, text: str, **options: Any) -> dict[str, Any]:
    """Return the body of a request with one text of the human."""
    if endpoint == "completions":
        return {"model": model, "prompt": text, **options}
    said = [{"role": "user", "content": text}]
    if endpoint == "responses":
        return {"model": model, "input": said, **options}
    if endpoint == "messages":
        options.setdefault("max_tokens", 99)
    return {"model": model, "messages": said, **options}


def send(proxy: ProxyProcess, endpoint: str, model: str, text: str, **options: Any) -> Any:
    """Send one request and return the whole answer."""
    return post(proxy, f"v1/{endpoint}", body_of(endpoint, model, text, **options))


def post(
    proxy: ProxyProcess, path: str, body: dict[str, Any], key: str = KEY, **headers: str
) -> httpx.Response:
    """Post a body and return the whole answer."""
    headers = {"Authorization": f"Bearer {key}", **headers}
    return httpx.post(f"{proxy.url}/{path}", headers=headers, json=body, timeout=120)


def get(proxy: ProxyProcess, path: str, key: str = KEY) -> Any:
    """Return what a path of the proxy's own says."""
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.get(f"{proxy.url}/{path}", headers=headers, timeout=60).json()
