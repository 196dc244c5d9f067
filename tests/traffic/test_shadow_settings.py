"""Settings of shadow mode."""

from __future__ import annotations

from typing import Any

import pytest

from routellm_core import ConfigError
from routellm_core.traffic.shadow.settings import shadow_settings


@pytest.mark.parametrize(
    ("wrong", "advice"),
    [
        ({"sample": 5}, "'sample' is 5: input should be less than or equal to 1"),
        ({"sample": True}, "'sample' is True: write a number"),
        ({"budget_usd": -1}, "'budget_usd' is -1"),
        ({"sampel": 0.1}, "unknown key 'sampel': did you mean 'sample'"),
        ({"strong_price": "cheap"}, "such as 2.5,10"),
        ({"weak_price": "1.5e-7,6e-7"}, "for one token: write those for a million, 0.15,0.6"),
        ({"redact": 3}, "write a function, or its dotted path"),
        ({"redact": "no.such.function"}, "cannot be imported"),
        ({"keep_days": 0}, "'keep_days' is 0"),
        ({"store": "no/such/folder/x.db"}, "there is no folder"),
        ({"store": "what://"}, "not the URL of a database"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_mistakes_in_the_settings_are_one_line(path: str, wrong: dict[str, Any], advice: str):
    with pytest.raises(ConfigError) as caught:
        shadow_settings({"sample": 0.1, "budget_usd": 1, "store": path, **wrong})
    assert str(caught.value).startswith("shadow: ")
    assert advice in str(caught.value)


def test_what_is_no_mapping_is_a_mistake():
    with pytest.raises(ConfigError, match=r"such as \{sample"):
        shadow_settings(True)
