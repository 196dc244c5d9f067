"""LiteLLM's own routers in an application's Router, one of whose tiers is an alias."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from litellm.exceptions import BadRequestError
from litellm.router import Router

from routellm_plugins.litellm import install, strategy
from routellm_plugins.litellm.groups.rust_core import RustCore
from tests.fakes import routers
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY, HARD
from tests.litellm.application.shared import WARNINGS, answered_by, user
from tests.litellm.configs import alias, group

pytestmark = [
    *WARNINGS,
    pytest.mark.skipif(
        strategy.pre_routing_selection is None, reason="this LiteLLM does not say what was chosen"
    ),
]
USUAL = {"router": "length", "threshold": 0.6}
TIERS = ("SIMPLE", "MEDIUM", "COMPLEX", "REASONING")


def auto(name: str, chosen: str) -> dict[str, Any]:
    config = {"tiers": dict.fromkeys(TIERS, chosen)}
    params = {
        "model": "auto_router/complexity_router",
        "complexity_router_config": config,
        "complexity_router_default_model": chosen,
    }
    return {"model_name": name, "litellm_params": params}


@pytest.fixture
def router(
    strong: Upstream, weak: Upstream, plugin: Callable[[object], object]
) -> Iterator[Router]:
    plugin(routers)
    entries = [
        group("gpt-4o", strong),
        group("gpt-4o-mini", weak),
        alias("gpt-4o-router", **USUAL),
        alias("router-*"),
        auto("auto-plain", "gpt-4o-mini"),
        auto("auto", "gpt-4o-router"),
        auto("auto-pattern", "router-length-0.6"),
    ]
    several = {"group_name": "several", "models": ["gpt-4o-router"]}
    several["routing_strategy"] = "simple-shuffle"
    router = Router(model_list=entries, num_retries=0, routing_groups=[several])
    install(router)
    yield router
    router.discard()


@pytest.mark.parametrize("name", ["auto", "auto-pattern", "several"])
@pytest.mark.parametrize(("text", "served"), [(EASY, "gpt-4o-mini"), (HARD, "gpt-4o")])
async def test_an_alias_is_routed_as_a_tier(
    router: Router, name: str, text: str, served: str
) -> None:
    if name == "several" and RustCore.is_one(vars(router).get("_core", router)):
        pytest.skip("this LiteLLM picks from such a group after it has asked for the group")
    assert answered_by(await router.acompletion("auto-plain", user(text))) == "gpt-4o-mini"
    assert answered_by(await router.acompletion(name, user(text))) == served
    answer: Any = await router.aresponses(model=name, input=text)
    assert f"{served} here" in str(answer.output)


async def test_a_request_cannot_say_that_an_alias_was_chosen(router: Router) -> None:
    (entry,) = (each for each in router.model_list if each["model_name"] == "gpt-4o-router")
    key = "pre_routing_selected_model"
    for forged in (key, f"_{key}"):
        with pytest.raises(BadRequestError, match="leads to a routed alias"):
            await router.acompletion(
                entry["model_info"]["id"], user(HARD), metadata={forged: "gpt-4o-router"}
            )
