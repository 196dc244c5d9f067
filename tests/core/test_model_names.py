"""Names like router-mf-0.116."""

from __future__ import annotations

import time

import pytest

from routellm_core import ConfigError, parse_model_name


@pytest.mark.parametrize(
    ("name", "parsed"),
    [
        ("router-mf-0.116", ("mf", 0.116)),
        ("router-sw_ranking-1", ("sw_ranking", 1.0)),
        ("router-my-own-.5", ("my-own", 0.5)),
        ("router-mf", None),
        ("router-mf-", None),
        ("router--0.3", None),
        ("gpt-4o", None),
        ("my-router-mf-0.3", None),
        ("router-mf-0.3-preview", None),
        ("router-mf-0.3.1", None),
        ("router-mf-٠", None),
        ("router-" + "m" * 200 + "-0.3", None),
    ],
)
def test_parse(name, parsed):
    assert parse_model_name(name) == parsed


@pytest.mark.parametrize("name", ["router-x-" + "1" * 10**6 + "x", "router-" + "-1" * 10**6])
def test_a_long_name_takes_no_time(name):
    start = time.thread_time()
    assert parse_model_name(name) is None
    assert time.thread_time() - start < 0.1


def test_a_threshold_above_one():
    with pytest.raises(ConfigError, match=r"'router-mf-1\.7': the threshold 1\.7 must be in"):
        parse_model_name("router-mf-1.7")
