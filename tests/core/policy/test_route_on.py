"""The words an application says a call is about."""

from __future__ import annotations

import asyncio

import pytest

from routellm_core import ConfigError
from routellm_core.policy.route_on import (
    held,
    route_on,
    text_to_route_on,
    texts_to_route_on,
)


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


def test_several_texts_are_for_as_many_calls_at_once():
    with route_on(["a", "b"]):
        assert texts_to_route_on(2) == ["a", "b"]
        with pytest.raises(ConfigError, match=r"route_on got 2 texts for 3 inputs"):
            texts_to_route_on(3)
        with pytest.raises(ConfigError, match=r"got 2 texts for a single call"):
            text_to_route_on()
        with held("taken down"):
            assert text_to_route_on() == "taken down"
    with route_on("one"):
        assert texts_to_route_on(2) == ["one", "one"]
    assert texts_to_route_on(2) == [None, None]


@pytest.mark.parametrize("text", [None, "", "  ", 3, [], ["question", " "], ["question", 3]])
def test_no_text_is_told_at_once(text):
    with pytest.raises(ConfigError, match="route_on takes the text to score"), route_on(text):
        pass
