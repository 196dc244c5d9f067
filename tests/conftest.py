"""What every test shares: no plugins of this machine, and plugins that clean up."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

os.environ["ROUTELLM_DISABLE_PLUGIN_AUTOLOAD"] = "1"
# Else a thread of LiteLLM asks the network for prices, and warns on stderr during any later test.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

from routellm_core import Router, hookimpl, register_plugin, unregister_plugin
from tests.fakes.scripted import ScriptedPlugin


class _Loggers(dict[str, Any]):
    """The process's loggers: pytest reads them before each test while threads may make new ones."""

    def values(self) -> Any:
        return list(super().values())


logging.root.manager.loggerDict = _Loggers(logging.root.manager.loggerDict)


@pytest.fixture
def plugin() -> Iterator[Callable[[object], object]]:
    """Register plugins for one test."""
    registered: list[object] = []

    def register(obj: object) -> object:
        register_plugin(obj)
        registered.append(obj)
        return obj

    yield register
    for obj in registered:
        unregister_plugin(obj)


@pytest.fixture
def stuck(plugin: Callable[[object], object]) -> Iterator[str]:
    """The name of a router that hangs until the test ends.

    One that hangs for ever would leave the tests that follow without scoring threads.
    """
    release = threading.Event()

    class Stuck(Router):
        def score(self, prompts):
            release.wait(30)
            raise AssertionError

    class Plugin:
        @hookimpl
        def routellm_register_routers(self, register):
            register("stuck", Stuck)

    plugin(Plugin())
    yield "stuck"
    release.set()


@pytest.fixture
def scripted(plugin: Callable[[object], object]) -> Iterator[ScriptedPlugin]:
    """Register the router that does whatever a test says."""
    scripts = ScriptedPlugin()
    plugin(scripts)
    yield scripts
    for router in scripts.made:
        router.release.set()
