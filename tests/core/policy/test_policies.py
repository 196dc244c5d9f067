"""Deciding by settings: policies are kept, and a router that cannot be loaded breaks no call."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from routellm_core import ConfigError, Router, hookimpl
from routellm_core.overrides import overridden
from routellm_core.policy.policies import _Policies, adecide, decide, decide_each, policy_of
from routellm_core.settings import PolicySettings
from tests.fakes import routers
from tests.fakes.scripted import routers_of


@pytest.fixture(autouse=True)
def _fake_routers(plugin) -> None:
    plugin(routers)


def settings(threshold: float = 0.6, router: str = "length", **more) -> PolicySettings:
    return PolicySettings(router=router, threshold=threshold, **more)


def test_policies_are_kept_up_to_a_number():
    kept = _Policies(size=2)
    first, second = kept.get(settings(0.1)), kept.get(settings(0.2))
    assert kept.get(settings(0.1)) is first
    kept.get(settings(0.3))
    assert kept.get(settings(0.1)) is first
    assert kept.get(settings(0.2)) is not second


def test_settings_are_known_again_until_the_plugins_change(plugin):
    asked = settings(0.1)
    first = policy_of(asked)
    assert policy_of(asked) is first
    assert policy_of(settings(0.1)) is first
    plugin(SimpleNamespace(routellm_decided=hookimpl(lambda decision: None)))
    second = policy_of(asked)
    assert second is not first
    assert policy_of(settings(0.1)) is second


def test_policies_of_single_calls_push_out_no_other():
    kept = _Policies(size=2)
    own = settings(0.1)
    first = kept.get(own)
    for threshold in (0.2, 0.3, 0.4, 0.1):
        of_call = overridden(own, {"threshold": threshold})
        assert kept.get(of_call) is kept.get(of_call)
        assert kept.get(of_call) is not first
    assert kept.get(own) is first


async def test_a_router_that_raises_while_loading_breaks_no_call(plugin, caplog):
    heard = []

    class Observer:
        @hookimpl
        def routellm_decided(self, decision):
            heard.append(decision)

    plugin(Observer())
    plugin(routers_of(unloadable=lambda: 1 / 0))
    broken = settings(router="unloadable", on_error="weak")
    decisions = [decide(broken, "x"), await adecide(broken, "x"), *decide_each([(broken, "x")])]
    assert heard == decisions
    assert {(d.tier, d.cause, d.threshold) for d in decisions} == {
        ("weak", "error:ZeroDivisionError", 0.6)
    }
    assert len(caplog.records) == 1
    share = PolicySettings(router="unloadable", strong_share=0.3)
    assert decide(share, "x").threshold is None


def test_wrong_settings_are_an_error():
    with pytest.raises(ConfigError, match="no router named 'lenght': did you mean 'length'"):
        decide(settings(router="lenght"), "x")
    good, wrong = decide_each([(settings(), "x"), (settings(router="lenght"), "x")])
    assert good.tier == "weak"
    assert isinstance(wrong, ConfigError)


def test_options_of_any_kind_are_told_apart(plugin):
    class Taking(Router):
        instant = True

        def __init__(self, at: object = None) -> None:
            self.at = at

        def score(self, prompts):
            raise NotImplementedError

    class Plugin:
        @hookimpl
        def routellm_register_routers(self, register):
            register("taking", Taking)

    plugin(Plugin())
    marker = object()  # nothing that pydantic could dump
    policies = [
        policy_of(settings(router="taking", router_options={"at": at})) for at in (marker, 1, True)
    ]
    assert len({id(policy) for policy in policies}) == 3
    assert policy_of(settings(router="taking", router_options={"at": marker})) is policies[0]
    with pytest.raises(ConfigError, match="option 'at' must be a plain value"):
        policy_of(settings(router="taking", router_options={"at": [1]}))


async def test_checked_settings_whose_router_is_gone_break_no_call(caplog):
    gone = settings(router="gone", threshold=0.7)
    for decision in (decide(gone, "hi", checked=True), await adecide(gone, "hi", checked=True)):
        assert (decision.tier, decision.cause) == ("strong", "error:ConfigError")
        assert decision.threshold == 0.7
    assert len(caplog.records) == 1
    with pytest.raises(ConfigError):
        decide(gone, "hi")
