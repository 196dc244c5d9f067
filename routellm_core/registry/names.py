"""Names of one kind of part (routers, encoders, trainers), each with its factory and owner."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import ConfigError, PluginError, did_you_mean

Factory = Callable[..., object]


class Names:
    """The registered names of one kind.

    Args:
        kind: what is registered, for error messages: ``router``, ``encoder`` or ``trainer``.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, tuple[Factory, str, object]] = {}

    def add(self, name: str, factory: Factory, owner: str, plugin: object) -> None:
        """Register ``factory`` under ``name``.

        Raises:
            PluginError: the name is taken or not a string, or the factory is not callable.
        """
        if not isinstance(name, str) or not callable(factory):
            raise PluginError(
                f"{owner} registers {name!r} as a {self.kind} with {factory!r}: "
                "register a name with a function or class"
            )
        if name in self._entries:
            raise PluginError(
                f"{self.kind} '{name}' is registered by both {self._entries[name][1]} and {owner}: "
                "uninstall one of them, or rename it in one"
            )
        # A new dictionary, because other threads may be reading this one.
        self._entries = {**self._entries, name: (factory, owner, plugin)}

    def drop(self, plugin: object) -> None:
        """Remove everything that ``plugin`` registered."""
        self._entries = {k: v for k, v in self._entries.items() if v[2] is not plugin}

    def factory(self, name: str) -> Factory:
        """Return the factory registered under ``name``.

        Raises:
            ConfigError: there is none; the message names the nearest registered name.
        """
        if name not in self._entries:
            raise ConfigError(f"no {self.kind} named '{name}': {did_you_mean(name, self._entries)}")
        return self._entries[name][0]

    def sorted(self) -> list[str]:
        """Return all names, sorted."""
        return sorted(self._entries)
