"""Real ChatOpenAI clients between the adapter and stand-in models on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_asyncio import is_async_test

from tests.fakes.openai_upstream import Upstream

FOLDER = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # langchain-openai keeps its async HTTP client for the process; it is bound to its first loop.
    for item in items:
        if FOLDER in item.path.parents and is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def strong() -> Iterator[Upstream]:
    with Upstream("gpt-4o") as upstream:
        yield upstream


@pytest.fixture(scope="session")
def weak() -> Iterator[Upstream]:
    with Upstream("gpt-4o-mini") as upstream:
        yield upstream
