"""The routed aliases of a model_list: which there are, and what is wrong with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from routellm_core import ConfigError, Tier, parse_model_name
from routellm_core.errors import did_you_mean
from routellm_core.settings import belonging_to, of_one_call, with_prices

from .misplaced import misplaced, without_name
from .placeholder import MARKER_MODEL, PLACEHOLDER
from .settings import RouteSettings, parse_settings

_SHOWN = 100


@dataclass(frozen=True)
class Route:
    """What happens to requests for one model name, or those of a pattern."""

    name: str
    """``model_name`` of its own entry."""
    settings: RouteSettings
    entries: Mapping[Tier, str | None]
    """The ``model_name`` of the entries that serve each tier; None if there are none, or if all of
    them are paused."""
    paused: bool = False
    """Whether an admin has paused its own entry."""
    wish: str = ""
    """What a request has set in place of the entry's threshold, and is not a threshold; it is in
    ``settings``."""

    @property
    def groups(self) -> tuple[str, str]:
        """The strong and the weak model group."""
        return self.settings.strong, self.settings.weak

    @property
    def strong_group(self) -> str:
        """The strong model group; the weak one where the entries have no strong one."""
        return self.settings.group("strong" if self.entries["strong"] else "weak")

    def tier_of(self, name: object) -> Tier | None:
        """Return the tier that only the entries of a name serve."""
        tiers = [tier for tier, entry in self.entries.items() if entry == name and name is not None]
        return tiers[0] if len(tiers) == 1 else None


class Routes:
    """Finds the route of a model name.

    Args:
        model_list: the entries of LiteLLM's config or Router.
        group_aliases: ``model_group_alias``, whose keys may be named like groups.
        groups_may_follow: whether model groups can be added later, so that an unknown one is
            no mistake.
        team_patterns_first: whether a team's own patterns come before those for all.
    """

    def __init__(
        self,
        model_list: Iterable[Mapping[str, Any]],
        group_aliases: Mapping[str, Any] | None = None,
        *,
        groups_may_follow: bool = False,
        team_patterns_first: bool = True,
    ) -> None:
        listed = list(model_list)
        entries = [
            entry
            for entry in listed
            if isinstance(entry.get("model_name"), str) and not _is_of_one_request(entry)
        ]
        self._guardrails = _guardrails(entries)
        self._of_teams = _of_teams(entries)
        self._team_patterns_first = team_patterns_first
        self._models = _models(entries)
        self._groups = {entry["model_name"] for entry in entries if not is_routed(entry)}
        going = {entry["model_name"] for entry in entries if not is_paused(entry)}
        self._paused = self._groups - going
        self._prices = {entry["model_name"]: _price(entry) for entry in entries}
        self._group_aliases = group_aliases or {}
        self._aliases = Counter(entry["model_name"] for entry in entries if is_routed(entry))
        self._groups_may_follow = groups_may_follow
        self._routes: dict[str, Route] = {}
        self.observed: dict[str, Route] = {}
        """Of ordinary groups whose requests are decided on for the record alone, by name."""
        self.problems: dict[str, str] = {}
        wildcards = [name for name in (*self._groups, *self._aliases) if "*" in name]
        # As LiteLLM does: of several patterns that match, the most specific decides.
        self._wildcards = sorted(wildcards, key=len, reverse=True)
        for entry in entries:
            if is_routed(entry):
                self._add(entry["model_name"], entry)
            elif "routellm" in _mapping(entry, "model_info"):
                self._observe(entry["model_name"], entry)
            elif mistake := misplaced(entry):
                name = entry["model_name"]
                self.problems[name] = f"model_list entry '{name}': {mistake}"
        for place, entry in enumerate(listed, 1):
            if entry not in entries and is_routed(entry):
                self.problems[f"entry {place}"] = without_name(place, entry)

    @property
    def any_guarded(self) -> bool:
        """Whether any entry of the model list has guardrails."""
        return any(self._guardrails.values())

    @cached_property
    def any_kept(self) -> bool:
        """Whether any route, or a group that is observed, has ``shadow``."""
        routes = (*self._routes.values(), *self.observed.values())
        return any(route.settings.shadow is not None for route in routes)

    def models_of(self, name: str | None) -> Sequence[str]:
        """Return the models that the entries of a name call, but for patterns."""
        return self._models.get(name or "", ())

    def __iter__(self) -> Iterator[Route]:
        """Yield the routes without mistakes, but that a group may be missing; a wildcard's has no
        threshold.
        """
        yield from self._routes.values()

    def find(self, model: str, team_id: str | None = None) -> Route | None:
        """Return the route of a model name or group alias; None for one that is not routed.

        Args:
            model: the name.
            team_id: of the team that asks. What an entry of its own serves under that name is its
                own, as for LiteLLM.

        Raises:
            ConfigError: its entry has a mistake other than a missing group, or a wildcard's name is
                not of the form ``router-<name>-<threshold>``.
        """
        model = self.target(model)
        entry = self._entry(model)
        if entry is None or entry in self._groups:
            return None
        if team_id is not None and self._is_own(model, team_id):
            return None
        route = self._routes.get(entry)
        if route is None:
            raise ConfigError(self.problems[entry])
        if "*" not in entry:
            return route
        return replace(route, settings=_named(model, route.settings))

    def target(self, model: str) -> str:
        """Return what ``model_group_alias`` makes of a name; LiteLLM looks it up there once."""
        alias = self._group_aliases.get(model)
        target = alias.get("model") if isinstance(alias, Mapping) else alias
        return target if isinstance(target, str) and target else model

    def _entry(self, model: str) -> str | None:
        """Return the ``model_name`` of the entries that serve a name."""
        if model in self._groups or model in self._aliases:
            return model
        return next((name for name in self._wildcards if _matches(name, model)), None)

    def _is_own(self, model: str, team_id: str) -> bool:
        """Return whether LiteLLM has a name served by entries that are one team's; a pattern of the
        team's comes before patterns for all, and after a name.
        """
        own = self._of_teams.get(team_id, ())
        if model in own or model in self._aliases or not self._team_patterns_first:
            return model in own
        return any("*" in name and _matches(name, model) for name in own)

    def _entries(self, settings: RouteSettings) -> dict[Tier, str | None]:
        tiers: tuple[Tier, ...] = ("strong", "weak")
        return {tier: self._entry(self.target(settings.group(tier))) for tier in tiers}

    def _going(self, entries: Mapping[Tier, str | None]) -> dict[Tier, str | None]:
        """Return the entries of each tier without those that are paused."""
        return {tier: None if name in self._paused else name for tier, name in entries.items()}

    def _add(self, name: str, entry: Mapping[str, Any]) -> None:
        mistakes: list[str] = []
        value = _mapping(entry, "model_info").get("routellm")
        try:
            settings = _parsed(name, value)
            if settings.observe:
                mistakes.append(
                    "'observe' is for the entry of a model group that serves requests: write "
                    "observe: true there, or leave it out to route"
                )
            served = self._entries(settings)
            prices = (
                self._prices.get(entry or "") or self.target(settings.group(tier))
                for tier, entry in served.items()
            )
            priced = with_prices(settings, *prices)
            self._routes[name] = Route(name, priced, self._going(served), is_paused(entry))
        except ConfigError as error:
            mistakes.append((value is None and misplaced(entry)) or str(error))
        mistakes.extend(self._mistakes_in_name(name))
        if not isinstance(_mapping(entry, "litellm_params").get("model"), str):
            mistakes.append(f"'litellm_params' names no model: write litellm_params: {PLACEHOLDER}")
        if _mapping(entry, "model_info").get("team_id") is not None:
            # Another team could use it, and its own could reach groups that are not for that team.
            mistakes.append(
                "'team_id' keeps an entry for one team, and groups are the proxy's: leave it out, "
                "and add the alias to the models of that team"
            )
        missing: list[str] = []
        if isinstance(value, Mapping):
            mistakes.extend(self._mistakes_in_groups(value))
            missing.extend(self._missing_groups(value))
        if mistakes:
            self._routes.pop(name, None)
        if mistakes or missing:
            self.problems[name] = f"model_list entry '{name}': {'; '.join(mistakes + missing)}"

    def _observe(self, name: str, entry: Mapping[str, Any]) -> None:
        value = _mapping(entry, "model_info")["routellm"]
        mistakes: list[str] = []
        try:
            settings = _parsed(name, value)
            route = self.observed[name] = Route(name, settings, self._entries(settings))
            if name not in (settings.strong, settings.weak):
                mistakes.append(f"one of 'strong' and 'weak' must be '{name}', which is observed")
            others = {each for entry in route.entries.values() for each in self._guarded_by(entry)}
            if more := sorted(others - self._guarded_by(name)):
                mistakes.append(
                    f"the other group has guardrails that '{name}' has not, and would be sent what "
                    f"they have not seen: give {' and '.join(more)} to both"
                )
        except ConfigError as error:
            mistakes.append(str(error))
        mistakes.extend(self._mistakes_in_groups(value))
        mistakes.extend(self._missing_groups(value))
        if mistakes:
            self.observed.pop(name, None)
            self.problems[name] = f"model_list entry '{name}': {'; '.join(mistakes)}"

    def _guarded_by(self, name: str | None) -> set[str]:
        return self._guardrails.get(name or "", set())

    def _mistakes_in_name(self, name: str) -> Iterable[str]:
        if self._aliases[name] > 1:
            yield "there are several routed entries of that name: keep one"
        if name in self._groups or name in self._group_aliases:
            yield "an ordinary model group has the same name: give the alias a name of its own"
        if "*" in name and not name.startswith("router-"):
            yield "a routed wildcard must begin with router-: write model_name: router-*"

    def _mistakes_in_groups(self, value: Mapping[str, Any]) -> Iterable[str]:
        groups = {k: value[k] for k in ("strong", "weak") if isinstance(value.get(k), str)}
        targets = [self.target(group) for group in groups.values()]
        if len(targets) == 2 and targets[0] == targets[1]:
            same = "are both" if groups["strong"] == groups["weak"] else "both lead to"
            yield f"'strong' and 'weak' {same} '{targets[0]}': name two model groups"
        for key, group in groups.items():
            target = self.target(group)
            leads = _leads(group, target)
            if self._entry(target) in self._aliases:
                yield f"'{key}' is '{group}'{leads}, which is routed itself: name a model group"

    def _missing_groups(self, value: Mapping[str, Any]) -> Iterable[str]:
        for key in ("strong", "weak"):
            group = value.get(key)
            if not isinstance(group, str) or self._groups_may_follow:
                continue
            target = self.target(group)
            leads = _leads(group, target)
            if self._entry(target) is None:
                known = self._groups if leads else {*self._groups, *self._group_aliases}
                hint = did_you_mean(target, known) if known else "there are none"
                yield (
                    f"'{key}' is '{group}'{leads}, but no model_list entry has that model_name: "
                    f"{hint}"
                )


def is_paused(entry: Mapping[str, Any]) -> bool:
    """Whether an admin has paused a model_list entry."""
    return _mapping(entry, "model_info").get("blocked") is True


def _is_of_one_request(entry: Mapping[str, Any]) -> bool:
    """Whether an entry is of a request with an account of its client's own, which older releases of
    LiteLLM list beside the deployment under the name that was asked for, an alias's too.
    """
    return _mapping(entry, "model_info").get("original_model_id") is not None


def _parsed(name: str, value: object) -> RouteSettings:
    settings = parse_settings(value, wildcard="*" in name)
    return belonging_to(settings, f"'{name}' ({settings.strong} | {settings.weak})")


def _guardrails(entries: Iterable[Mapping[str, Any]]) -> dict[str, set[str]]:
    """Return the names of the guardrails of each model group."""
    found: dict[str, set[str]] = {}
    for entry in entries:
        named = _mapping(entry, "litellm_params").get("guardrails") or []
        names = [named] if isinstance(named, str) else named
        found.setdefault(entry["model_name"], set()).update(map(str, names))
    return found


def _of_teams(entries: Iterable[Mapping[str, Any]]) -> dict[str, set[str]]:
    """Return the names under which each team has entries of its own."""
    found: dict[str, set[str]] = {}
    for info in (_mapping(entry, "model_info") for entry in entries):
        team, name = info.get("team_id"), info.get("team_public_model_name")
        if isinstance(team, str) and isinstance(name, str):
            found.setdefault(team, set()).add(name)
    return found


def _models(entries: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the models of each model group, but for patterns."""
    found: dict[str, list[str]] = {}
    for entry in entries:
        model = _mapping(entry, "litellm_params").get("model")
        if isinstance(model, str) and "*" not in model:
            found.setdefault(entry["model_name"], []).append(model)
    return found


def _price(entry: Mapping[str, Any]) -> tuple[float, float] | str | None:
    """Return the price that LiteLLM charges for an entry, or the model whose price that is."""
    info, params = _mapping(entry, "model_info"), _mapping(entry, "litellm_params")
    for given in (params, info):
        read, written = given.get("input_cost_per_token"), given.get("output_cost_per_token")
        if isinstance(read, (int, float)) and isinstance(written, (int, float)):
            return float(read) * 1e6, float(written) * 1e6
    model = info.get("base_model") or params.get("base_model") or params.get("model")
    return model if isinstance(model, str) and "*" not in model else None


def _leads(group: str, target: str) -> str:
    return "" if target == group else f", a model_group_alias of '{target}'"


def is_routed(entry: Mapping[str, Any]) -> bool:
    """Whether a model_list entry (or a deployment made from it) is a routed alias."""
    marked = _mapping(entry, "litellm_params").get("model") == MARKER_MODEL
    info = _mapping(entry, "model_info")
    return marked or ("routellm" in info and _mapping(info, "routellm").get("observe") is not True)


def _mapping(entry: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = entry.get(key)
    return value if isinstance(value, Mapping) else {}


def shortened(name: str) -> str:
    """Return a name that a client made up, fit for a message."""
    return name if len(name) <= _SHOWN else f"{name[:80]}..."


def _named(model: str, settings: RouteSettings) -> RouteSettings:
    parsed = parse_model_name(model)
    if parsed is None:
        raise ConfigError(
            f"model '{shortened(model)}': write router-<name>-<threshold>, as in router-mf-0.63"
        )
    router, threshold = parsed
    if settings.allow_override is not None:
        settings.allow_override.check(threshold)
    return of_one_call(settings.model_copy(update={"router": router, "threshold": threshold}))


def _matches(pattern: str, model: str) -> bool:
    # Not by a regular expression: with several stars, a client's long name could take it hours.
    start, *parts = pattern.split("*")
    end = parts.pop()
    at, stop = len(start), len(model) - len(end)
    if at > stop or not (model.startswith(start) and model.endswith(end)):
        return False
    for part in parts:
        found = model.find(part, at, stop)
        if found < 0:
            return False
        at = found + len(part)
    return True
