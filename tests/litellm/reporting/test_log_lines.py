"""What is logged about a route says which one."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from litellm import Router

from routellm_plugins.litellm import install
from tests.fakes import routers
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import HARD
from tests.litellm.configs import alias, group

pytestmark = [
    pytest.mark.filterwarnings("ignore:Item.*`ReadOnly` qualifier:UserWarning"),
    pytest.mark.filterwarnings("ignore:Router.discard is deprecated"),
]


def test_a_line_names_the_alias_that_it_is_about(
    strong: Upstream,
    weak: Upstream,
    plugin: Callable[[object], object],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Two with the same settings, of which one alone has traffic that changed."""
    plugin(routers)
    same = {"router": "graded", "strong_share": 0.2}
    entries = [group("gpt-4o", strong), group("gpt-4o-mini", weak)]
    for name in ("steady", "changed"):
        entries += [alias(name, **same), alias(f"{name}-raising", router="failing", threshold=0.5)]
    router = Router(model_list=entries, num_retries=0)
    strategy = install(router)

    def decide(model: str, times: int) -> None:
        route = strategy.find(model)
        assert route is not None
        for _ in range(times):
            strategy.decide(strategy.request(model, route, {}, [{"role": "user", "content": HARD}]))

    with caplog.at_level(logging.WARNING, logger="routellm_core"):
        decide("changed", 1_500)
        decide("steady", 10)
        decide("steady-raising", 2)
        decide("changed-raising", 2)
    router.discard()
    drift, *failures = [record.getMessage() for record in caplog.records]
    assert drift.startswith("'changed' (gpt-4o | gpt-4o-mini): router 'graded': 100% of the last")
    assert [line.partition(" (RuntimeError")[0] for line in failures] == [
        "'steady-raising' (gpt-4o | gpt-4o-mini): router 'failing' failed",
        "'changed-raising' (gpt-4o | gpt-4o-mini): router 'failing' failed",
    ]
