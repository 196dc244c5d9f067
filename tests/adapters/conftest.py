"""An adapter between two stand-ins, as each test of decisions asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from routellm_core import Decision, hookimpl
from tests.adapters import ADAPTERS
from tests.adapters.cases import Adapter, Asking
from tests.fakes import routers
from tests.fakes.openai_upstream import Upstream
from tests.fakes.scripted import ScriptedPlugin


@pytest.fixture(scope="module")
def upstreams() -> Iterator[dict[str, Upstream]]:
    with Upstream("strong") as strong, Upstream("weak") as weak:
        yield {"strong": strong, "weak": weak}


@pytest.fixture(params=ADAPTERS, ids=lambda adapter: adapter.name)
def kind(request: pytest.FixtureRequest) -> type[Adapter]:
    return request.param


@pytest.fixture
def adapter(
    kind: type[Adapter],
    upstreams: dict[str, Upstream],
    plugin: Callable[[object], object],
    scripted: ScriptedPlugin,
) -> Iterator[Callable[..., Asking]]:
    """Make an adapter of these settings; routers that are easy to predict are installed."""
    plugin(routers)
    made: list[Adapter] = []

    def make(**settings: Any) -> Asking:
        made.append(kind(upstreams["strong"].url, upstreams["weak"].url, **settings))
        return Asking(made[-1], upstreams)

    yield make
    for each in made:
        each.close()


@pytest.fixture
def seen(plugin: Callable[[object], object]) -> list[Decision]:
    """Every decision, as an observer sees it."""
    decisions: list[Decision] = []
    plugin(SimpleNamespace(routellm_decided=hookimpl(lambda decision: decisions.append(decision))))
    return decisions
