"""What LiteLLM reads of an alias's own entry, made to follow from the alias's groups.

LiteLLM merges guardrails, lists windows, capabilities and what clients may set, skips budgets of
what is free and probes endpoints by the entry of the name that is asked for, before or beside any
request. So the entry in the Router has to say what holds for the groups.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import litellm

from routellm_core import Tier

from ..config.placeholder import MARKER_MODEL, NOWHERE
from ..config.routes import Route, Routes, is_paused, is_routed
from .proxy_access import of_proxy
from .router_access import RouterAccess

logger = logging.getLogger(__name__)

_SMALLEST = ("max_input_tokens", "max_output_tokens")
_PRICES = ("input_cost_per_token", "output_cost_per_token")
_BATCH_PRICES = tuple(f"{price}_batches" for price in _PRICES)
_OWN_PRICES = (*_PRICES, *_BATCH_PRICES)
_PERMITTED = "configurable_clientside_auth_params"
_KEPT_ALIVE = "keepalive_seconds"
_PASSED_THROUGH = "use_in_pass_through"
"""Lends the key of an entry to requests that name no model group: to those, an alias has none."""
_TIERS: tuple[Tier, ...] = ("weak", "strong")
"""Whose account an alias has: that of the first of its groups that has one."""
_PARTS = ("litellm_params", "model_info")
_MISSING = ...
"""What no entry holds, and what is itself when copied."""

_Changes = dict[str, tuple[object, object]]
"""What was changed in a mapping: the value of each key before, and the one that was written."""


class AliasEntries:
    """Keeps the entries of routed aliases in a Router's model list in line with their groups.

    Args:
        access: the Router.
    """

    def __init__(self, access: RouterAccess) -> None:
        self._access = access
        self._written: dict[str, dict[str, _Changes]] = {}
        """What was written into each alias's entry, by its id and part."""

    def follow_groups(
        self,
        routes: Routes,
        entries: Sequence[Mapping[str, Any]],
        names: Collection[str] | None = None,
    ) -> None:
        """Write into the entry of each alias what follows from its groups.

        Args:
            routes: what the entries say about routing.
            entries: the Router's live model list; its entries are changed in place.
            names: of the aliases, if not all.
        """
        try:
            self._follow(routes, entries, names)
        except Exception:
            logger.exception("LiteLLM may list, guard or probe routed aliases wrongly")

    def _follow(
        self, routes: Routes, entries: Sequence[Mapping[str, Any]], names: Collection[str] | None
    ) -> None:
        by_name = {route.name: route for route in routes}
        written = {} if names is None else dict(self._written)
        described: dict[str, dict[str, Any]] = {}
        followed: dict[str, dict[str, Any]] = {}
        for entry in list(entries):
            if names is not None and entry.get("model_name") not in names:
                continue
            if not is_routed(entry) or not all(
                isinstance(entry.get(part), dict) for part in _PARTS
            ):
                continue
            route = by_name.get(str(entry.get("model_name")))
            serving = _serving(route, entries) if route else []
            model_id = str(entry["model_info"].get("id"))
            declared = self._declared(entry, model_id)
            params, info = (dict(declared[part]) for part in _PARTS)
            _stand_in(params, self._standing_for(route, routes, serving) if route else ())
            _guard(params, declared["litellm_params"], serving)
            _permit(params, serving)
            _agree(params, serving)
            if route:
                for price in _OWN_PRICES:
                    params.pop(price, None)
                self._describe(info, route, serving)
                described[model_id] = {k: v for k, v in info.items() if k != "routellm"}
            new = {"litellm_params": params, "model_info": info}
            written[model_id] = {part: _changes(declared[part], new[part]) for part in _PARTS}
            _write(entry, **new)
            followed[model_id] = new
        self._written = written
        if described:
            for model_id in described:
                for price in _OWN_PRICES:
                    litellm.model_cost.get(model_id, {}).pop(price, None)
            litellm.register_model(described)
            self._access.forget_group_infos()
        self._access.follow_in_patterns(followed)
        for listed in of_proxy("llm_model_list") or ():
            # Those that a ``model_group_alias`` leads to are copied there.
            if now := followed.get(str((listed.get("model_info") or {}).get("id"))):
                _write(listed, **copy.deepcopy(now))

    def _standing_for(
        self, route: Route, routes: Routes, serving: Sequence[Mapping[str, Any]]
    ) -> list[Mapping[str, Any]]:
        """Return the entries that an alias may stand for, each with the model it would call."""
        return [
            self._access.named(entry, routes.target(route.settings.group(tier)))
            for tier in _TIERS
            for entry in _shared(serving)
            if entry.get("model_name") == route.entries[tier]
        ]

    def _declared(self, entry: Mapping[str, Any], model_id: str) -> dict[str, dict[str, Any]]:
        """Return the parts of an entry without what was written into them before, which may hold
        no longer: the entry that it stands for may have another key by now.
        """
        written = self._written.get(model_id, {})
        return {part: _undone(entry[part], written.get(part, {})) for part in _PARTS}

    def _describe(
        self, info: dict[str, Any], route: Route, serving: Sequence[Mapping[str, Any]]
    ) -> None:
        """Put windows, mode, capabilities and prices into an alias's ``model_info``.

        What its entry in the config says stays, but for prices: the alias costs what its groups
        do, and one that calls itself free would not be held to any budget. A batch costs what it
        does where the entry's account is.
        """
        for price in _OWN_PRICES:
            info.pop(price, None)
        groups = [self._access.group_info(g) for g in route.groups]
        facts = {**_common(groups), **_prices(groups, serving)}
        if shared := _shared(serving):
            first, name = shared[0], str(shared[0].get("model_name"))
            declared = litellm.model_cost.get((first.get("model_info") or {}).get("id"), {})
            facts.update(_batch_prices(declared, self._access.model_info(first, name)))
        info.update({name: fact for name, fact in facts.items() if name not in info})


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> _Changes:
    """Return what differs, as it was and as it is."""
    pairs = {
        key: (before.get(key, _MISSING), after.get(key, _MISSING)) for key in {**before, **after}
    }
    # A copy, because the one in the entry can be edited in place.
    return {key: (old, copy.deepcopy(new)) for key, (old, new) in pairs.items() if old != new}


def _undone(now: Mapping[str, Any], changes: _Changes) -> dict[str, Any]:
    """Return a mapping as it was before changes; what somebody else has changed since stays."""
    undone = dict(now)
    for key, (old, new) in changes.items():
        if now.get(key, _MISSING) == new:
            undone.pop(key, None)
            if old is not _MISSING:
                undone[key] = old
    return undone


def _write(entry: Any, **values: Any) -> None:
    """Change an entry at once, since LiteLLM 1.110 reads the whole model list at each change."""
    changed = {key: value for key, value in values.items() if value != entry.get(key)}
    if changed:
        entry.update(changed)


def _serving(route: Route, entries: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the entries of a route's groups that no admin has paused, the weak one's first."""
    return [
        entry
        for name in map(route.entries.get, _TIERS)
        for entry in entries
        if entry.get("model_name") == name and not is_routed(entry) and not is_paused(entry)
    ]


def _shared(serving: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the entries that are not one team's: the entry of an alias, which all teams share,
    would lend them that team's key.
    """
    return [entry for entry in serving if (entry.get("model_info") or {}).get("team_id") is None]


def _stand_in(params: dict[str, Any], serving: Sequence[Mapping[str, Any]]) -> None:
    """Let an entry that names no model of its own stand for one that serves.

    So a probe of the alias's health is one of that model, and whatever reached the entry by a
    way that nobody thought of would still be sent to a place that the config names.
    """
    if params.get("model") != MARKER_MODEL:
        return
    for entry in serving:
        theirs = entry.get("litellm_params") or {}
        if "*" not in str(theirs.get("model", "*")):
            params.clear()
            params.update(copy.deepcopy(dict(theirs)))
            params.pop(_PASSED_THROUGH, None)
            return
    params["api_base"] = NOWHERE


def _guard(
    params: dict[str, Any], own: Mapping[str, Any], serving: Sequence[Mapping[str, Any]]
) -> None:
    """Let an alias have the guardrails of all that may serve it, beside its own, which it has also
    where it stands for another entry.
    """
    union: list[Any] = []
    for holder in (own, *(entry.get("litellm_params") or {} for entry in serving)):
        named = holder.get("guardrails") or []
        for guardrail in [named] if isinstance(named, str) else named:
            if guardrail not in union:
                union.append(guardrail)
    if union:
        params["guardrails"] = union


def _permit(params: dict[str, Any], serving: Sequence[Mapping[str, Any]]) -> None:
    """List of an address and its key what all that may serve the alias let clients set; requests
    are checked by the groups themselves.
    """
    permitted = [(entry.get("litellm_params") or {}).get(_PERMITTED) or [] for entry in serving]
    first = permitted[0] if permitted else []
    common = [each for each in first if all(each in others for others in permitted)]
    if common:
        params[_PERMITTED] = common
    else:
        params.pop(_PERMITTED, None)


def _agree(params: dict[str, Any], serving: Sequence[Mapping[str, Any]]) -> None:
    """Keep a silent stream alive as all that may serve the alias do; as the proxy does, where they
    differ, which is LiteLLM's rule for a group.
    """
    values = [(entry.get("litellm_params") or {}).get(_KEPT_ALIVE) for entry in serving]
    params.pop(_KEPT_ALIVE, None)
    if values and values[0] is not None and all(value == values[0] for value in values):
        params[_KEPT_ALIVE] = values[0]


def _common(groups: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what holds whichever group answers."""
    facts: dict[str, Any] = {}
    for name in _SMALLEST:
        known = [group[name] for group in groups if group.get(name)]
        if known:
            facts[name] = int(min(known))  # LiteLLM tells floats, which its core refuses
    modes = {group.get("mode") for group in groups if group}
    if len(modes) == 1:
        facts["mode"] = modes.pop()
    names = {name for group in groups for name in group if name.startswith("supports_")}
    for name in sorted(names):
        values = [group.get(name) for group in groups]
        if all(isinstance(value, bool) for value in values):
            facts[name] = all(values)
    return facts


def _prices(
    groups: Sequence[Mapping[str, Any]], serving: Sequence[Mapping[str, Any]]
) -> dict[str, float]:
    """Return the dearer group's prices, of those that are known.

    LiteLLM reports 0 for a price that nobody set, so 0 counts if every entry sets one.
    """
    prices = {name: max(float(group.get(name) or 0) for group in groups) for name in _PRICES}
    ids = [(entry.get("model_info") or {}).get("id") for entry in serving]
    free = bool(ids) and all(
        "input_cost_per_token" in litellm.model_cost.get(model_id, {}) for model_id in ids
    )
    return prices if free or any(prices.values()) else {}


def _batch_prices(declared: Mapping[str, Any], info: Mapping[str, Any]) -> dict[str, float]:
    """Return what a model costs in a batch: half of its usual price if there is no other.

    Args:
        declared: the prices that its deployment declares, before which others do not count.
        info: what LiteLLM knows of the model.
    """
    prices: dict[str, float] = {}
    for price, in_batch in zip(_PRICES, _BATCH_PRICES, strict=True):
        for source in (declared, info):
            if source.get(in_batch) is not None:
                prices[in_batch] = float(source[in_batch])
                break
            if source.get(price) is not None:
                prices[in_batch] = float(source[price]) / 2
                break
    return prices
