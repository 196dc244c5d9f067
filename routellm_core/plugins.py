"""The plugin manager: loads built-ins and entry points, and calls the hooks safely."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import pluggy

from . import hookspecs
from .encoders import builtin as builtin_encoders
from .errors import ConfigError, PluginError, did_you_mean
from .hookspecs import PROJECT, hookimpl
from .routers import builtin as builtin_routers

if TYPE_CHECKING:
    from .decision import Decision
    from .routers.base import Router

logger = logging.getLogger(__name__)

DISABLE_AUTOLOAD = "ROUTELLM_DISABLE_PLUGIN_AUTOLOAD"
"""Environment variable: when set to anything but an empty string, entry points are not loaded."""

_OWN_DISTRIBUTION = "routellm-plugins"


class _BuiltinScorer:
    """Lets the router itself answer when no plugin did."""

    @hookimpl(trylast=True)
    def routellm_score(self, router: Router, text: str) -> float:
        return float(router.score([text])[0])


class _Registry:
    """Names of one kind of thing (routers, encoders), each with its factory and its owner."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, tuple[Callable[..., object], str, object]] = {}

    def add(self, name: str, factory: Callable[..., object], owner: str, plugin: object) -> None:
        if name in self._entries:
            raise PluginError(
                f"{self.kind} '{name}' is registered by both {self._entries[name][1]} and {owner}: "
                "uninstall one of them, or rename it in one"
            )
        self._entries[name] = (factory, owner, plugin)

    def drop(self, plugin: object) -> None:
        self._entries = {k: v for k, v in self._entries.items() if v[2] is not plugin}

    def factory(self, name: str) -> Callable[..., object]:
        if name not in self._entries:
            raise ConfigError(f"no {self.kind} named '{name}': {did_you_mean(name, self._entries)}")
        return self._entries[name][0]

    def names(self) -> list[str]:
        return sorted(self._entries)


class Plugins:
    """Every plugin of this process. Entry points are read on first use."""

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._routers = _Registry("router")
        self._encoders = _Registry("encoder")
        self._lock = threading.RLock()
        self._loaded = False
        self._intercepts_scores = False
        self._version = 0
        for builtin in (_BuiltinScorer(), builtin_routers, builtin_encoders):
            self._add(builtin, f"{_OWN_DISTRIBUTION} (built in)")

    def register(self, plugin: object) -> None:
        """Add an object (or module) with hook implementations.

        Raises:
            PluginError: it is registered already, misspells a hook, or takes a taken name.
        """
        with self._lock:
            self._load()
            self._add(plugin, f"register_plugin({plugin!r})")

    def unregister(self, plugin: object) -> None:
        """Take back what ``register`` added.

        Raises:
            PluginError: it is not registered.
        """
        with self._lock:
            if not self._manager.is_registered(plugin):
                raise PluginError(f"{plugin!r} is not registered, so it cannot be unregistered")
            self._remove(plugin)

    @property
    def version(self) -> int:
        """Grows with every change, so that what was built from plugins can be told stale."""
        return self._version

    def router_factory(self, name: str) -> Callable[..., object]:
        """Return the factory registered for a router's name.

        Raises:
            ConfigError: no plugin registers that name.
        """
        self._load()
        return self._routers.factory(name)

    def encoder_factory(self, name: str) -> Callable[..., object]:
        """Return the factory registered for an encoder's name.

        Raises:
            ConfigError: no plugin registers that name.
        """
        self._load()
        return self._encoders.factory(name)

    def router_names(self) -> list[str]:
        """Return the names of all routers, sorted."""
        self._load()
        return self._routers.names()

    def encoder_names(self) -> list[str]:
        """Return the names of all encoders, sorted."""
        self._load()
        return self._encoders.names()

    def score(self, router: Router, router_name: str, text: str) -> object:
        """Call ``routellm_score``; the answer is unchecked. What a plugin raises comes through."""
        return self._manager.hook.routellm_score(router=router, router_name=router_name, text=text)

    def intercepts_scores(self) -> bool:
        """Whether a plugin answers or post-processes scores, and so may take its time."""
        self._load()
        return self._intercepts_scores

    def decided(self, decision: Decision) -> None:
        """Tell every observer; one that raises is logged and the others still hear of it."""
        for impl in self._manager.hook.routellm_decided.get_hookimpls():
            try:
                impl.function(*([decision] if impl.argnames else []))
            except KeyboardInterrupt:
                raise
            except BaseException:  # SystemExit or the like must not end the gateway
                logger.exception("plugin %s raised in routellm_decided", impl.plugin_name)

    def _load(self) -> None:
        if self._loaded:
            return
        with self._lock:
            if self._loaded:
                return  # type: ignore[unreachable]  # another thread was quicker
            if not os.environ.get(DISABLE_AUTOLOAD):
                from importlib.metadata import entry_points

                for entry in entry_points(group=PROJECT):
                    owner = entry.dist.name if entry.dist else entry.value
                    try:
                        plugin = entry.load()
                    except Exception as error:
                        raise PluginError(
                            f"the plugin '{entry.name}' of distribution {owner} failed to import "
                            f"({type(error).__name__}: {error}): mend or uninstall {owner}, "
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
            self._call_registering(plugin, owner)
        except BaseException:
            self._remove(plugin)
            raise
        self._changed()

    def _remove(self, plugin: object) -> None:
        if self._manager.is_registered(plugin):
            self._manager.unregister(plugin)
        self._routers.drop(plugin)
        self._encoders.drop(plugin)
        self._changed()

    def _changed(self) -> None:
        self._version += 1
        self._intercepts_scores = len(self._manager.hook.routellm_score.get_hookimpls()) > 1

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
        for hook in ("routellm_register_routers", "routellm_register_encoders", "routellm_decided"):
            for impl in self._impls(hook, plugin):
                if impl.wrapper or impl.hookwrapper:
                    raise PluginError(f"{owner}: {hook} cannot be a wrapper; remove wrapper=True")

    def _call_registering(self, plugin: object, owner: str) -> None:
        for hook, registry in (
            ("routellm_register_routers", self._routers),
            ("routellm_register_encoders", self._encoders),
        ):

            def register(
                name: str, factory: Callable[..., object], registry: _Registry = registry
            ) -> None:
                registry.add(name, factory, owner, plugin)

            for impl in self._impls(hook, plugin):
                try:
                    impl.function(register)
                except PluginError:
                    raise
                except Exception as error:
                    raise PluginError(
                        f"{owner} raised in {hook} ({type(error).__name__}: {error}): "
                        "mend or uninstall it"
                    ) from error

    def _impls(self, hook: str, plugin: object) -> Iterable[Any]:
        impls = getattr(self._manager.hook, hook).get_hookimpls()
        return [impl for impl in impls if impl.plugin is plugin]


plugins = Plugins()
"""The plugins of this process."""

register_plugin = plugins.register
unregister_plugin = plugins.unregister
