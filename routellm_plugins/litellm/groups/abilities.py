"""What the models behind a route can do, as far as LiteLLM knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from routellm_core import Tier
from routellm_core.rules.fits import Abilities

from ..config.routes import Route
from .router_access import RouterAccess


class GroupAbilities:
    """What the groups of routes can do, by the model info of their deployments.

    A group can do what one of its deployments can. What the model info does not say counts as
    able, so a capability is only missing where it is ``false``. A group whose context-window
    fallbacks lead to a third group has the window of that.

    Args:
        access: the Router.
    """

    def __init__(self, access: RouterAccess) -> None:
        self._access = access
        self._known: dict[tuple[str, str], Mapping[Tier, Abilities]] = {}

    def of(self, route: Route) -> Mapping[Tier, Abilities]:
        """Return what each of a route's groups can do; empty if nothing is missing anywhere."""
        key = route.groups
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._read(route)
        return known

    def forget(self) -> None:
        """Read the model list again, which has changed."""
        self._known.clear()

    def _read(self, route: Route) -> Mapping[Tier, Abilities]:
        abilities = {
            tier: self._with_fallbacks(
                route, tier, self._of_entries(name, route.settings.group(tier))
            )
            for tier, name in route.entries.items()
        }
        limited = any(each != Abilities() for each in abilities.values())
        return abilities if limited else {}

    def _of_entries(self, name: str | None, group: str) -> Abilities:
        """Return what the entries of a name can do together, which serve a group."""
        return _together(
            [
                self._access.model_info(entry, group)
                for entry in self._access.entries()
                if name is not None and entry.get("model_name") == name
            ]
        )

    def _with_fallbacks(self, route: Route, tier: Tier, own: Abilities) -> Abilities:
        """Return what a tier can do, as long as its fallbacks are not the other tier, which is
        better asked at once.
        """
        group = route.settings.group(tier)
        fallbacks = self._access.context_window_fallbacks()
        others = [str(name) for each in fallbacks for name in each.get(group) or ()]
        windows = [
            self._of_entries(name, name).context_window
            for name in others
            if name not in route.entries.values()
        ]
        known = [window for window in (own.context_window, *windows) if window is not None]
        widest = max(known) if len(known) == len(windows) + 1 else None
        return replace(own, context_window=widest)


def _together(infos: Sequence[Mapping[str, Any]]) -> Abilities:
    windows = [info.get("max_input_tokens") for info in infos]
    known = [int(w) for w in windows if isinstance(w, (int, float)) and w > 0]
    return Abilities(
        context_window=max(known) if known and len(known) == len(infos) else None,
        images=_any_is_able(infos, "supports_vision"),
        audio=_any_is_able(infos, "supports_audio_input"),
        video=_any_is_able(infos, "supports_video_input"),
        files=_any_is_able(infos, "supports_pdf_input"),
        tools=_any_is_able(infos, "supports_function_calling"),
    )


def _any_is_able(infos: Iterable[Mapping[str, Any]], name: str) -> bool | None:
    values = {info.get(name) for info in infos}
    return False if values == {False} else None
