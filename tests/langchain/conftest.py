"""Real ChatOpenAI clients between the adapter and stand-in models on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_asyncio import is_async_test

from tests.fakes import routers
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


@pytest.fixture
def fresh(strong: Upstream, weak: Upstream, plugin: Callable[[object], object]) -> None:
    """Models that forgot the test before, and routers that are easy to predict."""
    plugin(routers)
    for upstream in (strong, weak):
        upstream.requests.clear()
        upstream.failing_with = None


@pytest.fixture
def decisions(plugin: Callable[[object], object]) -> Any:
    """An observer of every decision."""
    from tests.langchain.agents import Decisions

    observer = Decisions()
    plugin(observer)
    return observer


@pytest.fixture
def gpt_4o(strong: Upstream) -> Any:
    from tests.langchain.clients import client

    return client(strong)


@pytest.fixture
def mini(weak: Upstream) -> Any:
    from tests.langchain.clients import client

    return client(weak)
