"""The plugin manager: loads built-in parts and entry points, and calls the hooks safely."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any, Literal

import pluggy

from .. import hookspecs
from ..contracts import Router
from ..decision import Decision
from ..errors import PluginError, did_you_mean
from ..hookspecs import PROJECT, hookimpl
from .names import Factory, Names

logger = logging.getLogger(__name__)

DISABLE_AUTOLOAD = "ROUTELLM_DISABLE_PLUGIN_AUTOLOAD"
"""Environment variable: when set to anything but an empty string, entry points are not loaded."""

_OWN_DISTRIBUTION = "routellm-plugins"

_BUILTINS = (
    "routellm_core.encoders.builtin",
    "routellm_core.routers.builtin",
    "routellm_core.training.builtin",
)
"""Modules that register the built-in parts through the same hooks as plugins. They are imported
by name because the registry is on a lower floor than the parts."""

Kind = Literal["router", "encoder", "trainer"]

_REGISTERING: dict[Kind, str] = {
    "router": "routellm_register_routers",
    "encoder": "routellm_register_encoders",
    "trainer": "routellm_register_trainers",
}
"""The hook that registers each kind of part."""


class _RouterScore:
    """Lets the router itself answer when no plugin did."""

    @hookimpl(trylast=True)
    def routellm_score(self, router: Router, text: str) -> float:
        return float(router.score([text])[0])


_ROUTER_SCORE = _RouterScore()


class Plugins:
    """Every plugin of this process. Entry points are read on first use."""

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._names: dict[Kind, Names] = {kind: Names(kind) for kind in _REGISTERING}
        self._lock = threading.RLock()
        self._loaded = False
        self._version = 0
        self._scorers: dict[str, Callable[..., object] | None] = {}
        self._scored: dict[int, frozenset[str]] = {}
        """Of each plugin that implements ``routellm_scored_routers``, by id, what it returned."""
        self._raised: set[str] = set()

    def register(self, plugin: object) -> None:
        """Add an object (or module) with hook implementations.

        Raises:
            PluginError: it is registered already, misspells a hook, or takes a taken name.
        """
        with self._lock:
            self._load()
            self._add(plugin, f"register_plugin({plugin!r})")

    def unregister(self, plugin: object) -> None:
        """Remove what ``register`` added.

        Raises:
            PluginError: it is not registered.
        """
        with self._lock:
            if not self._manager.is_registered(plugin):
                raise PluginError(f"{plugin!r} is not registered, so it cannot be unregistered")
            self._remove(plugin)

    @property
    def version(self) -> int:
        """A number that grows with every change, for caches of what was made from plugins."""
        return self._version

    def factory(self, kind: Kind, name: str) -> Factory:
        """Return the factory registered for a name.

        Raises:
            ConfigError: no plugin registers that name; the nearest registered name is given.
        """
        self._load()
        return self._names[kind].factory(name)

    def names(self, kind: Kind) -> list[str]:
        """Return all registered names of one kind, sorted."""
        self._load()
        return self._names[kind].sorted()

    def score(self, router: Router, router_name: str, text: str) -> object:
        """Call ``routellm_score``; the answer is unchecked, and exceptions are not caught."""
        hook = self._scorer(router_name)
        if hook is None:
            return float(router.score([text])[0])
        return hook(router=router, router_name=router_name, text=text)

    def intercepts_scores(self, router_name: str) -> bool:
        """Whether a plugin answers or post-processes the scores of this router. Such a router is
        scored one text at a time, and not on the event loop.
        """
        return self._scorer(router_name) is not None

    def decided(self, decision: Decision) -> None:
        """Call every observer. One that raises is logged once, and the others are still called."""
        for impl in self._manager.hook.routellm_decided.get_hookimpls():
            try:
                impl.function(*([decision] if impl.argnames else []))
            except KeyboardInterrupt:
                raise
            except BaseException:  # SystemExit or the like must not end the gateway
                if impl.plugin_name not in self._raised:
                    self._raised.add(impl.plugin_name)
                    logger.exception(
                        "plugin %s raised in routellm_decided; further exceptions of this plugin "
                        "are not logged",
                        impl.plugin_name,
                    )

    def _scorer(self, router_name: str) -> Callable[..., object] | None:
        """Return the hook call for a router's scores; None if only the router itself answers."""
        try:
            return self._scorers[router_name]
        except KeyError:
            self._load()
        with self._lock:
            impls = self._manager.hook.routellm_score.get_hookimpls()
            scoring = [i.plugin for i in impls if not isinstance(i.plugin, _RouterScore)]
            others = [plugin for plugin in scoring if not self._scores(plugin, router_name)]
            hook = None
            if len(others) < len(scoring):
                hook = self._manager.subset_hook_caller("routellm_score", others)
            self._scorers[router_name] = hook
            return hook

    def _scores(self, plugin: object, router_name: str) -> bool:
        """Whether the plugin's ``routellm_score`` is for this router."""
        scored = self._scored.get(id(plugin))
        return scored is None or router_name in scored

    def _load(self) -> None:
        if self._loaded:
            return
        with self._lock:
            if self._loaded:
                return  # type: ignore[unreachable]  # another thread has loaded them
            for builtin in (_ROUTER_SCORE, *map(import_module, _BUILTINS)):
                if not self._manager.is_registered(builtin):
                    self._add(builtin, f"{_OWN_DISTRIBUTION} (built in)")
            if not os.environ.get(DISABLE_AUTOLOAD):
                from importlib.metadata import entry_points

                for entry in entry_points(group=PROJECT):
                    owner = entry.dist.name if entry.dist else entry.value
                    try:
                        plugin = entry.load()
                    except Exception as error:
                        raise PluginError(
                            f"the plugin '{entry.name}' of distribution {owner} failed to import "
                            f"({type(error).__name__}: {error}): repair or uninstall {owner}, "
                            f"or set {DISABLE_AUTOLOAD}=1"
                        ) from error
                    if not self._manager.is_registered(plugin):
                        self._add(plugin, owner)
            self._loaded = True

    def _add(self, plugin: object, owner: str) -> None:
        name = f"{owner}:{getattr(plugin, '__name__', type(plugin).__name__)}:{id(plugin)}"
        try:
            self._manager.register(plugin, name=name)
        except ValueError as error:
            raise PluginError(f"{owner} is registered already") from error
        except pluggy.PluginValidationError as error:
            self._remove(plugin)
            raise PluginError(f"{owner}: {str(error).splitlines()[-1]}") from error
        try:
            self._reject_wrappers(plugin, owner)
            self._check_spelling(owner)
            self._read_scored_routers(plugin, owner)
            self._call_registering(plugin, owner)
        except BaseException:
            self._remove(plugin)
            raise
        self._changed()

    def _remove(self, plugin: object) -> None:
        if self._manager.is_registered(plugin):
            self._manager.unregister(plugin)
        for names in self._names.values():
            names.drop(plugin)
        self._scored.pop(id(plugin), None)
        self._changed()

    def _changed(self) -> None:
        self._version += 1
        self._scorers = {}

    def _check_spelling(self, owner: str) -> None:
        try:
            self._manager.check_pending()
        except pluggy.PluginValidationError as error:
            known = [name for name in dir(hookspecs) if name.startswith(f"{PROJECT}_")]
            misspelt = next(
                impl.function.__name__
                for name, caller in vars(self._manager.hook).items()
                if name not in known and not name.startswith("_")
                for impl in caller.get_hookimpls()
            )
            raise PluginError(
                f"{owner} implements an unknown hook '{misspelt}': {did_you_mean(misspelt, known)}"
            ) from error

    def _reject_wrappers(self, plugin: object, owner: str) -> None:
        for hook in (*_REGISTERING.values(), "routellm_scored_routers", "routellm_decided"):
            for impl in self._impls(hook, plugin):
                if impl.wrapper or impl.hookwrapper:
                    raise PluginError(f"{owner}: {hook} cannot be a wrapper; remove wrapper=True")

    def _read_scored_routers(self, plugin: object, owner: str) -> None:
        for impl in self._impls("routellm_scored_routers", plugin):
            try:
                names = impl.function()
                if isinstance(names, str) or not all(isinstance(name, str) for name in names):
                    raise TypeError(f"it returned {names!r:.100}")
            except Exception as error:
                raise PluginError(
                    f"{owner}: routellm_scored_routers failed ({type(error).__name__}: {error}): "
                    "return a list of names of routers"
                ) from error
            self._scored[id(plugin)] = frozenset(names)

    def _call_registering(self, plugin: object, owner: str) -> None:
        for kind, hook in _REGISTERING.items():

            def register(name: str, factory: Factory, kind: Kind = kind) -> None:
                self._names[kind].add(name, factory, owner, plugin)

            for impl in self._impls(hook, plugin):
                try:
                    impl.function(register)
                except PluginError:
                    raise
                except Exception as error:
                    raise PluginError(
                        f"{owner} raised in {hook} ({type(error).__name__}: {error}): "
                        "repair or uninstall it"
                    ) from error

    def _impls(self, hook: str, plugin: object) -> Iterable[Any]:
        impls = getattr(self._manager.hook, hook).get_hookimpls()
        return [impl for impl in impls if impl.plugin is plugin]

    def renew_lock(self) -> None:
        """Replace the lock, in a forked child: another thread may have held it at the fork."""
        self._lock = threading.RLock()


plugins = Plugins()
"""The plugins of this process."""

if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=plugins.renew_lock)

register_plugin = plugins.register
unregister_plugin = plugins.unregister
