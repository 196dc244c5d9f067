"""What a request asks of routing, read from the request as LiteLLM hands it on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from routellm_core import Asked, Decision, Tier
from routellm_core.policy.route_on import text_to_route_on
from routellm_core.prompt.reading import asked_in
from routellm_core.prompt.side_calls import side_call
from routellm_core.rules.fits import Abilities

from ..config.routes import Route
from ..reporting.metrics import metrics
from ..reporting.routed_request import RoutedRequest, routed_request
from .answers import tier_of_answers
from .conversation import begins, session_of_request, tier_of_previous
from .messages import messages_of, system_messages
from .needs import lacking_for
from .reasoning import has_signed_reasoning


@dataclass
class Request:
    """One request for a routed alias."""

    alias: str
    """The model asked for."""
    route: Route
    kwargs: Mapping[str, Any]
    """The request, as a client of the proxy or the application wrote it."""
    entries: Callable[[], Iterable[Mapping[str, Any]]]
    """Gives the Router's model list."""
    abilities: Callable[[Route], Mapping[Tier, Abilities]]
    """Gives what the models of a route can do."""
    messages: Sequence[Mapping[str, Any]] | None = None
    """The conversation, if it is not in ``kwargs``."""
    sent_as_is: bool = False
    """Whether nothing can be left out of the conversation on its way to a model."""

    def asked(self) -> Asked:
        """Return what the request asks the route's policy to decide."""
        previous = self.kwargs.get("previous_response_id")
        if previous is not None:
            tier = tier_of_previous(previous, self.route, self.entries())
            if tier is not None:
                return Asked(settled=tier, cause="conversation")
        there = [tier for tier, entry in self.route.entries.items() if entry is not None]
        if len(there) == 1:  # a group may be deleted while the proxy runs
            return Asked(settled=there[0], cause="no_group")
        lacking = lacking_for(self.kwargs, self.messages, self.abilities(self.route))
        asked = self._question()
        return replace(asked, lacking=lacking) if lacking else asked

    def _question(self) -> Asked:
        side = side_call(self._conversation, self.route.settings)
        if side is not None:
            return side
        asked = self._asked
        if self.sent_as_is and (tier := self._only_reader()):
            return replace(asked, settled=tier, cause="conversation")
        if not asked.turns:
            # Trimmed in the middle of a loop, which stays where its last answer came from.
            tier = tier_of_answers(self.alias, self._conversation, self.kwargs)
            asked = replace(asked, without_text=tier, cause="conversation") if tier else asked
        if self.route.settings.sticky == "turn":
            return asked
        session, given = session_of_request(self.alias, self._conversation, self.kwargs)
        starts = not given and begins(self._conversation)
        return replace(asked, session=session, begins=starts)

    def _only_reader(self) -> Tier | None:
        """Return the tier that wrote the reasoning in the conversation; None if there is none that
        the other cannot be sent, or its author is not known.
        """
        if not has_signed_reasoning(self._conversation):
            return None
        return tier_of_answers(self.alias, self._conversation, self.kwargs)

    def routed_before(self) -> RoutedRequest | None:
        """Return the decision on an earlier attempt at this request."""
        before = routed_request(self.kwargs)
        if before is None or before.alias != self.alias:
            return None
        # Of the same words: applications may use one metadata dict for many requests.
        same = before.fingerprint == self._fingerprint
        return replace(before, settled=False) if same else None

    def routed(self, decision: Decision, *, settled: bool = False) -> RoutedRequest:
        """Return the request with its decision, which was made now and is counted."""
        route = self.route
        group, groups = route.settings.group(decision.tier), route.groups
        metrics.note(route.name, group, decision)
        return RoutedRequest(
            self.alias, group, decision, self._fingerprint, settled, route.entries, groups
        )

    @cached_property
    def _asked(self) -> Asked:
        conversation = self._conversation
        everything = [*system_messages(self.kwargs), *conversation]
        return asked_in(conversation, self.route.settings, everything)

    @cached_property
    def _fingerprint(self) -> int | None:
        """Stands for what the decision depends on; None if that cannot be read, for which the
        policy decides as for a failure to score.
        """
        try:
            return hash(
                (self._asked.turns, text_to_route_on(), self.kwargs.get("previous_response_id"))
            )
        except Exception:
            return None

    @cached_property
    def _conversation(self) -> Sequence[Mapping[str, Any]]:
        return messages_of(self.kwargs) if self.messages is None else self.messages
