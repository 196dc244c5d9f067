"""Settings of one call over those of its model."""

from __future__ import annotations

import pytest

from routellm_core import ConfigError, PolicySettings
from routellm_core.overrides import overridden, take_overrides


def settings(**values: object) -> PolicySettings:
    return PolicySettings.model_validate({"router": "mf", **values})


def test_overrides_are_taken_out_of_the_parameters_of_a_call():
    parameters = {"temperature": 0.3, "routellm_threshold": 0.7, "routellm_router": "random"}
    assert take_overrides(parameters) == {"threshold": 0.7, "router": "random"}
    assert parameters == {"temperature": 0.3}


def test_an_override_of_an_unknown_setting_is_an_error():
    with pytest.raises(ConfigError, match="in 'routellm_treshold': did you mean 'threshold'"):
        take_overrides({"routellm_treshold": 0.7})


def test_a_call_without_overrides_has_the_settings_of_its_model():
    own = settings(threshold=0.5)
    assert overridden(own, {}, {"threshold": None}) is own


def test_the_later_layer_wins():
    own = settings(threshold=0.5, on_error="weak")
    one = overridden(own, {"threshold": 0.6, "router": "random"}, {"threshold": 0.7})
    assert (one.threshold, one.router, one.on_error) == (0.7, "random", "weak")


def test_a_threshold_and_a_share_replace_each_other():
    share = overridden(settings(threshold=0.5), {"strong_share": 0.3})
    assert (share.threshold, share.strong_share) == (None, 0.3)
    threshold = overridden(share, {"strong_share": 0.4}, {"threshold": 0.6})
    assert (threshold.threshold, threshold.strong_share) == (0.6, None)


def test_both_in_one_layer_are_an_error():
    with pytest.raises(ConfigError, match="keep one of them"):
        overridden(settings(threshold=0.5), {"threshold": 0.6, "strong_share": 0.4})


def test_options_stay_with_their_router():
    own = settings(threshold=0.5, router_options={"checkpoint": "mf"})
    assert overridden(own, {"router": "mf"}).router_options == {"checkpoint": "mf"}
    assert overridden(own, {"router": "bert"}).router_options == {}


def test_options_that_pydantic_cannot_dump_are_kept():
    option = object()
    own = settings(threshold=0.5, router_options={"client": option})
    assert overridden(own, {"threshold": 0.6}).router_options["client"] is option


def test_a_wish_of_one_call_leaves_what_adapts_to_all_calls_alone(tmp_path):
    own = settings(strong_share=0.3, adapt=str(tmp_path / "threshold.json"))
    wishes = ({"strong_share": 0.5}, {"threshold": 0.5}, {"calibration": "a"}, {"router": "bert"})
    assert [overridden(own, wish).adapt for wish in wishes] == [False] * 4
