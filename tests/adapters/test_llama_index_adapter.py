"""The driver for LlamaIndex reports what really happened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("llama_index.core")
pytest.importorskip("llama_index.llms.openai_like")

from tests.adapters.llama_index_adapter import LlamaIndexAdapter
from tests.fakes import routers
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY, HARD


@pytest.fixture
def upstreams() -> Iterator[dict[str, Upstream]]:
    with Upstream("strong") as strong, Upstream("weak") as weak:
        yield {"strong": strong, "weak": weak}


def test_a_call_is_reported_with_the_model_that_served_it(
    upstreams: dict[str, Upstream], plugin: Any
):
    plugin(routers)
    urls = (upstreams["strong"].url, upstreams["weak"].url)
    adapter = LlamaIndexAdapter(*urls, router="length", threshold=0.6)
    try:
        history = [("user", HARD), ("assistant", "Well.")]
        reports = [
            adapter.ask(HARD),
            adapter.ask(EASY, history=history),
            adapter.ask(EASY, override={"threshold": 0.4}),
            adapter.ask(None),
        ]
    finally:
        adapter.close()
    assert [report["served"] for report in reports] == ["strong", "weak", "strong", "strong"]
    assert [report["tier"] for report in reports] == [report["served"] for report in reports]
    assert [report["threshold"] for report in reports] == [0.6, 0.6, 0.4, 0.6]
    assert reports[-1]["cause"] == "no_text"
    assert [len(upstream.requests) for upstream in upstreams.values()] == [3, 1]
    assert len(upstreams["weak"].requests[0]["messages"]) == 3
