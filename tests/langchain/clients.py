"""LangChain's own client of a stand-in model."""

from __future__ import annotations

from typing import Any

from langchain_openai import ChatOpenAI

from tests.fakes.openai_upstream import Upstream


def client(upstream: Upstream, **options: Any) -> ChatOpenAI:
    settings: dict[str, Any] = {"api_key": "unused", "max_retries": 0, **options}
    return ChatOpenAI(model=upstream.model, base_url=upstream.url, **settings)
