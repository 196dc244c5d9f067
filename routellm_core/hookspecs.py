"""The hooks a plugin may implement. Hooks run on any thread, so they must be thread-safe."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

import pluggy

from .contracts import Router
from .decision import Decision

PROJECT = "routellm"
"""Name of the pluggy project and of the entry-point group."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Register(Protocol):
    """The function passed to a hook that registers something."""

    def __call__(self, name: str, factory: Callable[..., object]) -> None:
        """Make ``factory`` available under ``name``; it is called with the user's options on
        first use, so heavy imports belong inside it.

        Raises:
            PluginError: the name is taken.
        """


@hookspec
def routellm_register_routers(register: Register) -> None:
    """Register routers: ``register("my-router", MyRouter)``; the factory returns a ``Router``."""


@hookspec
def routellm_register_encoders(register: Register) -> None:
    """Register encoders: ``register("mine", MyEncoder)``; the factory returns an ``Encoder``."""


@hookspec
def routellm_register_trainers(register: Register) -> None:
    """Register how a router is trained: ``register("my-router", make_trainer)``; the factory takes
    nothing and returns a ``routellm_core.training.trainers.Trainer``. ``routellm train`` and
    ``cross-validate`` then treat the router like a built-in one.
    """


@hookspec(firstresult=True)
def routellm_score(router: Router, router_name: str, text: str) -> float | None:
    """Score one text: the strong win rate in [0, 1], or None to leave it to the next plugin.

    A plain implementation answers instead of the router; one marked
    ``hookimpl(wrapper=True)`` post-processes whatever was answered. It is called for every
    router, which makes each of them slower, unless ``routellm_scored_routers`` names some.
    """


@hookspec
def routellm_scored_routers() -> Collection[str]:
    """Return the names of the routers that this plugin's ``routellm_score`` is for."""
    return ()


@hookspec
def routellm_decided(decision: Decision) -> None:
    """Observe a decision. An exception raised here is logged and does not reach the call."""
