"""Entries that are one team's, beside an alias that all teams share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from litellm.router import Router
from litellm.types.router import Deployment, LiteLLM_Params, ModelInfo

from routellm_plugins.litellm import install
from routellm_plugins.litellm.config.placeholder import NOWHERE
from tests.fakes import routers
from tests.fakes.other_endpoints import OtherEndpoints
from tests.fakes.routers import HARD
from tests.litellm.application.shared import WARNINGS, user
from tests.litellm.configs import MARKER, alias

pytestmark = WARNINGS
USUAL = {"router": "length", "threshold": 0.6}


def keyed(name: str, upstream: OtherEndpoints, key: str, **info: Any) -> dict[str, Any]:
    params = {"model": f"openai/{name}", "api_base": upstream.url, "api_key": key}
    return {"model_name": name, "litellm_params": params, "model_info": info}


@pytest.fixture
def shared() -> Iterator[OtherEndpoints]:
    with OtherEndpoints("shared") as upstream:
        yield upstream


@pytest.fixture
def of_team() -> Iterator[OtherEndpoints]:
    with OtherEndpoints("of-team") as upstream:
        yield upstream


@pytest.fixture
def router(
    shared: OtherEndpoints, of_team: OtherEndpoints, plugin: Callable[[object], object]
) -> Iterator[Router]:
    """The team's own entry of the weak group is before the one for all."""
    plugin(routers)
    entries = [
        alias("gpt-4o-router", **USUAL),
        alias("router-*"),
        keyed("gpt-4o", shared, "sk-strong"),
        keyed("gpt-4o-mini", of_team, "sk-team", team_id="team"),
        keyed("gpt-4o-mini", shared, "sk-shared"),
        alias("team-only-router", weak="team-only", **USUAL),
        keyed("team-only", of_team, "sk-team", team_id="team"),
    ]
    router = Router(model_list=entries, num_retries=0)
    install(router)
    yield router
    router.discard()


@pytest.mark.parametrize("name", ["gpt-4o-router", "router-length-0.6"])
async def test_files_of_all_do_not_go_to_a_teams_account(
    router: Router, shared: OtherEndpoints, of_team: OtherEndpoints, name: str
) -> None:
    await router.acreate_file(model=name, file=("a.txt", b"text"), purpose="user_data")
    assert not of_team.headers
    assert [each["authorization"] for each in shared.headers] == ["Bearer sk-shared"]


@pytest.mark.parametrize("name", ["gpt-4o-router", "router-length-0.6"])
def test_another_team_is_lent_no_key(router: Router, name: str) -> None:
    """The proxy looks it up for a file that is uploaded with ``model``."""
    for team in ("another", None):
        plain, routed = (
            router.get_deployment_credentials_with_provider(model, team_id=team) or {}
            for model in ("gpt-4o-mini", name)
        )
        assert routed["api_key"] == plain["api_key"] == "sk-shared"


def test_a_group_that_is_one_teams_lends_an_alias_nothing_but_its_strong_group(
    router: Router,
) -> None:
    found = router.get_deployment_credentials_with_provider("team-only-router", team_id="another")
    assert (found or {})["api_key"] == "sk-strong"


@pytest.mark.parametrize(
    ("own", "asked", "key"),
    [
        ("gpt-4o-router", "gpt-4o-router", "Bearer sk-own"),
        ("router-length-0.6", "router-length-0.6", "Bearer sk-own"),
        pytest.param(
            *("router-*", "router-length-0.6", "Bearer sk-own"),
            marks=pytest.mark.skipif(
                not hasattr(Router, "wildcard_route_deployments"),
                reason="patterns for all come first in this LiteLLM",
            ),
        ),
        ("gpt-4o-*", "gpt-4o-router", "Bearer sk-strong"),  # for LiteLLM, a name is before patterns
    ],
)
async def test_what_a_team_has_an_entry_of_its_own_for_is_its_own(
    router: Router, shared: OtherEndpoints, of_team: OtherEndpoints, own: str, asked: str, key: str
) -> None:
    params = {"model": "openai/own", "api_base": of_team.url, "api_key": "sk-own"}
    info = ModelInfo(team_id="team", team_public_model_name=own)
    router.upsert_deployment(Deployment("model_name_team_2", LiteLLM_Params(**params), info))
    for team, expected in (("team", key), ("another", "Bearer sk-strong")):
        metadata = {"user_api_key_team_id": team}
        await router.acompletion(asked, user(HARD), metadata=metadata)
        await router.aresponses(model=asked, input=HARD, litellm_metadata=metadata)
        sent = [*shared.headers, *of_team.headers]
        assert [each["authorization"] for each in sent] == [expected] * 2, team
        shared.headers.clear()
        of_team.headers.clear()


def test_a_teams_own_pattern_that_is_routed_leads_nowhere(router: Router) -> None:
    """It is a mistake in its entry, which LiteLLM keeps a copy of for that team."""
    info = alias("router-*")["model_info"]
    team = {"team_id": "team", "team_public_model_name": "router-of-team-*"}
    router.upsert_deployment(
        Deployment("model_name_team_1", LiteLLM_Params(**MARKER), ModelInfo(**info, **team))
    )
    found = router.get_deployment_credentials_with_provider("router-of-team-1", team_id="team")
    assert (found or {})["api_base"] == NOWHERE
