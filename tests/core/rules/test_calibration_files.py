"""Calibration files: what they hold, and which are refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from routellm_core import ConfigError, PolicySettings, RoutingPolicy, load_router
from routellm_core.overrides import overridden
from routellm_core.rules.calibration import calibration_of, read_calibration
from routellm_core.rules.share import NEVER, threshold_for_share, threshold_in, ties


def written(path: Path, at: float = 0.7, **changes: object) -> str:
    calibration = calibration_of(
        np.linspace(0.0, 1.0, 1001),
        at,
        router="random",
        fingerprint=load_router("random").fingerprint,
        rule={"strong_share": 0.3},
        data="ab" * 32,
        date="2026-11-28",
    )
    values = json.loads(calibration.as_json())
    path.write_text(json.dumps({**values, **changes}))
    return str(path)


def test_a_policy_takes_its_threshold_from_the_file(tmp_path):
    path = written(tmp_path / "support.json")
    policy = RoutingPolicy("random", calibration=path)
    plain = RoutingPolicy("random", threshold=0.7)
    assert policy.threshold == 0.7
    for text in ("a", "b", "c", ""):
        assert policy.decide(text).tier == plain.decide(text).tier
    assert RoutingPolicy("random", calibration=Path(path)).threshold == 0.7


def test_what_is_read_is_what_was_written(tmp_path):
    for threshold in (0.0, 0.123456789012345678, 1.0, NEVER):
        found = read_calibration(written(tmp_path / "support.json", threshold))
        assert found.threshold == threshold
        assert (found.n, found.rule, found.quantiles[0]) == (1001, {"strong_share": 0.3}, 0.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threshold": 1.7}, "damaged: 'threshold'"),
        ({"threshold": True}, "damaged: 'threshold'"),
        ({"threshold": None}, "damaged: 'threshold'"),
        ({"quantiles": [0.5] * 3}, "damaged: 'quantiles'"),
        ({"quantiles": "x"}, "damaged: 'quantiles'"),
        ({"n": 0}, "damaged: 'n'"),
        ({"later_turns": -1}, "damaged: 'later_turns'"),
        ({"rule": 3}, "damaged: 'rule'"),
        ({"more": 3}, "damaged: 'more'"),
        ({"routellm_calibration": 99}, "another version"),
        ({"router": "mf"}, "made for router 'mf', and this is 'random': set router: mf, or"),
        ({"fingerprint": "random:1"}, "another checkpoint of router 'random'"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(tmp_path, changes, message):
    path = written(tmp_path / "support.json", **changes)
    with pytest.raises(ConfigError, match=message) as refused:
        RoutingPolicy("random", calibration=path)
    assert "\n" not in str(refused.value)
    assert "routellm calibrate" in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"[1]", b"{}", b"\xff", b"[" * 100_000])
def test_another_file_is_refused(tmp_path, content):
    path = tmp_path / "other.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="calibrat"):
        RoutingPolicy("random", calibration=str(path))


@pytest.mark.parametrize("path", ["absent.json", "/dev/zero", "/", "a\0b"])
def test_a_path_that_is_no_such_file_is_refused(path):
    with pytest.raises(ConfigError, match="calibrat"):
        RoutingPolicy("random", calibration=path)


def test_another_checkpoint_of_mf_is_refused(tmp_path):
    fingerprint = load_router("mf", strong_ability=2.0, weak_ability=1.0).fingerprint
    path = written(tmp_path / "support.json", router="mf", fingerprint=fingerprint)
    with pytest.raises(ConfigError, match="another checkpoint"):
        RoutingPolicy("mf", calibration=path)
    options = {"strong_ability": 2.0, "weak_ability": 1.0}
    assert RoutingPolicy("mf", calibration=path, router_options=options).threshold == 0.7


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"threshold": 0.5, "calibration": "x"}, "both 'threshold' and 'calibration' are set"),
        ({"strong_share": 0.5, "calibration": "x"}, "both 'strong_share' and 'calibration'"),
        (
            {"threshold": 0.5, "strong_share": 0.5, "calibration": "x"},
            "all of 'threshold' and 'strong_share' and 'calibration' are set",
        ),
        ({"calibration": 5}, "'calibration' is 5: .*valid string"),
    ],
)
def test_conflicts_are_refused(given, message):
    with pytest.raises(ConfigError, match=message):
        RoutingPolicy("random", **given)


def test_a_threshold_of_a_call_replaces_a_calibration():
    own = PolicySettings(router="random", calibration="support.json")
    one = overridden(own, {"threshold": 0.3})
    assert (one.threshold, one.calibration) == (0.3, None)
    back = overridden(one, {"calibration": "support.json"})
    assert (back.threshold, back.calibration) == (None, "support.json")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.5, 0.999, 1.0])
def test_the_threshold_gives_the_share_that_can_be_had(share):
    rng = np.random.default_rng(0)
    scores = rng.random(1000)
    assert (scores >= threshold_in(scores, share)).mean() == pytest.approx(share, abs=1e-9)
    few = rng.integers(0, 4, 1000) / 4
    possible = [(few >= cut).mean() for cut in (0, 0.25, 0.5, 0.75, 2)]
    nearest = min(possible, key=lambda each: abs(each - share))
    assert (few >= threshold_in(few, share)).mean() == pytest.approx(nearest)


def test_a_threshold_stands_off_from_the_scores():
    scores = np.array([0.1, 0.1, 0.3, 0.3])
    assert threshold_in(scores, 0.5) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("scores", "share", "message"),
    [
        (np.linspace(0, 1, 201), 0.3, None),
        (np.repeat([0.2, 0.5, 0.8], 67), 0.3, None),
        (np.repeat([0.2, 0.5, 0.8], 67), 0.5, "sends 66% .* where 50% is meant: many of them"),
        (np.repeat([0.1, 0.9], [20, 181]), 0.3, "threshold 0.9 sends 90% of usual prompts"),
        (np.repeat([0.1, 0.9], [20, 181]), 1.0, None),
        (np.repeat([0.1, 0.9], [20, 181]), 0.0, None),
    ],
)
def test_a_share_that_equal_scores_make_larger_is_told(scores, share, message):
    found = ties(scores, threshold_for_share(scores, share), share)
    assert (found is None) if message is None else re.search(message, found)
