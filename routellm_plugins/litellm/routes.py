"""The routed aliases of a model_list: which there are, and what is wrong with them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from routellm_core import ConfigError, parse_model_name
from routellm_core.errors import did_you_mean

from .settings import RouteSettings, parse_settings

MARKER_MODEL = "openai/routellm"
"""What the docs put under ``litellm_params.model`` of a routed alias; it is never called."""


@dataclass(frozen=True)
class Route:
    """What happens to requests for one model name."""

    name: str
    settings: RouteSettings


class Routes:
    """Finds the route of a model name.

    Args:
        model_list: the entries of LiteLLM's config or Router.
        group_aliases: the keys of ``model_group_alias``, which may be named like groups.
        groups_may_follow: whether model groups can be added later, so that an unknown one is
            no mistake.
    """

    def __init__(
        self,
        model_list: Iterable[Mapping[str, Any]],
        group_aliases: Iterable[str] = (),
        *,
        groups_may_follow: bool = False,
    ) -> None:
        entries = [entry for entry in model_list if isinstance(entry.get("model_name"), str)]
        self._groups = {e["model_name"] for e in entries if not is_routed(e)} | set(group_aliases)
        self._aliases = Counter(entry["model_name"] for entry in entries if is_routed(entry))
        self._groups_may_follow = groups_may_follow
        self._settings: dict[str, RouteSettings] = {}
        self.problems: dict[str, str] = {}
        for entry in entries:
            if is_routed(entry):
                self._add(entry["model_name"], entry)
        wildcards = [name for name in (*self._groups, *self._aliases) if "*" in name]
        # As LiteLLM does: of several patterns that match, the most specific decides.
        self._wildcards = sorted(wildcards, key=len, reverse=True)

    def __iter__(self) -> Iterator[Route]:
        """Yield the routes without mistakes; a wildcard's has no threshold."""
        for name, settings in self._settings.items():
            yield Route(name, settings)

    def find(self, model: str) -> Route | None:
        """Return the route of a model name; None for a name that is not routed.

        Raises:
            ConfigError: its entry has a mistake, or a wildcard's name is not of the form
                ``router-<name>-<threshold>``.
        """
        if model in self._groups:
            return None
        entry = model if model in self._aliases else self._matching_wildcard(model)
        if entry is None or entry in self._groups:
            return None
        if entry in self.problems:
            raise ConfigError(self.problems[entry])
        settings = self._settings[entry]
        return Route(model, _named(model, settings) if "*" in entry else settings)

    def _matching_wildcard(self, model: str) -> str | None:
        return next((name for name in self._wildcards if _matches(name, model)), None)

    def _add(self, name: str, entry: Mapping[str, Any]) -> None:
        mistakes = []
        value = _mapping(entry, "model_info").get("routellm")
        try:
            self._settings[name] = parse_settings(value, wildcard="*" in name)
        except ConfigError as error:
            mistakes.append(str(error))
        mistakes.extend(self._mistakes_in_name(name))
        if isinstance(value, Mapping):
            mistakes.extend(self._mistakes_in_groups(value))
        if mistakes:
            self._settings.pop(name, None)
            self.problems[name] = f"model_list entry '{name}': {'; '.join(mistakes)}"

    def _mistakes_in_name(self, name: str) -> Iterable[str]:
        if self._aliases[name] > 1:
            yield "there are several routed entries of that name: keep one"
        if name in self._groups:
            yield "an ordinary model group has the same name: give the alias a name of its own"
        if "*" in name and not name.startswith("router-"):
            yield "a routed wildcard must begin with router-: write model_name: router-*"

    def _mistakes_in_groups(self, value: Mapping[str, Any]) -> Iterable[str]:
        groups = {key: value.get(key) for key in ("strong", "weak")}
        if groups["strong"] == groups["weak"] and groups["strong"] is not None:
            yield f"'strong' and 'weak' are both '{groups['weak']}': name two model groups"
        for key, group in groups.items():
            if not isinstance(group, str):
                continue
            if group in self._aliases:
                yield f"'{key}' is '{group}', which is routed itself: name a model group"
            elif not self._groups_may_follow and not self._is_group(group):
                hint = did_you_mean(group, self._groups) if self._groups else "there are none"
                yield f"'{key}' is '{group}', but no model_list entry has that model_name: {hint}"

    def _is_group(self, name: str) -> bool:
        return name in self._groups or any(_matches(g, name) for g in self._groups if "*" in g)


def is_routed(entry: Mapping[str, Any]) -> bool:
    """Whether a model_list entry (or a deployment made from it) is a routed alias."""
    marked = _mapping(entry, "litellm_params").get("model") == MARKER_MODEL
    return marked or "routellm" in _mapping(entry, "model_info")


def _mapping(entry: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = entry.get(key)
    return value if isinstance(value, Mapping) else {}


def _named(model: str, settings: RouteSettings) -> RouteSettings:
    parsed = parse_model_name(model)
    if parsed is None:
        raise ConfigError(f"model '{model}': write router-<name>-<threshold>, as router-mf-0.116")
    return settings.model_copy(update={"router": parsed[0], "threshold": parsed[1]})


def _matches(pattern: str, model: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), model) is not None
