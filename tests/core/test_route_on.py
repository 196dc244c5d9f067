"""The words an application says a call is about."""

from __future__ import annotations

import asyncio

import pytest

from routellm_core import ConfigError
from routellm_core.policy.route_on import route_on, text_to_route_on


def test_the_innermost_text_holds_inside_only():
    assert text_to_route_on() is None
    with route_on("outer"):
        with route_on("inner"):
            assert text_to_route_on() == "inner"
        assert text_to_route_on() == "outer"
    assert text_to_route_on() is None


def test_an_error_inside_ends_it():
    with pytest.raises(RuntimeError), route_on("question"):
        raise RuntimeError
    assert text_to_route_on() is None


async def test_tasks_do_not_see_each_others_text():
    async def ask(text: str) -> str | None:
        with route_on(text):
            await asyncio.sleep(0.01)
            return await asyncio.to_thread(text_to_route_on)

    assert await asyncio.gather(ask("a"), ask("b")) == ["a", "b"]


@pytest.mark.parametrize("text", [None, "", "  ", 3, ["question"]])
def test_no_text_is_told_at_once(text):
    with pytest.raises(ConfigError, match="route_on takes the text to score"), route_on(text):
        pass
