"""What every test shares: no plugins of this machine, and plugins that clean up."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

os.environ["ROUTELLM_DISABLE_PLUGIN_AUTOLOAD"] = "1"

from routellm_core import register_plugin, unregister_plugin


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
