"""Decide by settings: each policy is built, and its router loaded, on first use, and again when its
files change.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

from ..decision import Decision
from ..errors import RouteLLMError
from ..registry.plugins import plugins
from .failures import Failures
from .policy import Call, RoutingPolicy
from .reload import Reloaded

if TYPE_CHECKING:
    from ..settings import PolicySettings


class _Policies:
    """Policies by their settings. Bounded, because calls may bring routers and thresholds; those of
    single calls, which know nothing of any other, push out none but each other.

    Args:
        size: how many are kept, of each of the two.
    """

    def __init__(self, size: int = 1024) -> None:
        self._size = size
        self._lasting: OrderedDict[Hashable, Reloaded] = OrderedDict()
        self._of_one_call: OrderedDict[Hashable, Reloaded] = OrderedDict()
        self._lock = threading.Lock()
        self._failures: dict[str, Failures] = {}
        self._keys: dict[int, tuple[PolicySettings, int, Hashable]] = {}
        """Of settings that last, by ``id``, with the version of the plugins."""

    def get(self, settings: PolicySettings) -> RoutingPolicy:
        policy = self.find(settings)
        if policy is None:
            # Not under the lock: a router that loads slowly must not hold up the others. That
            # each is loaded once is seen to by load_router.
            made = Reloaded(settings)
            kept = self._of(settings)
            with self._lock:
                policy = kept.setdefault(self._key(settings), made).current()
                while len(kept) > self._size:
                    kept.popitem(last=False)
        return policy

    def find(self, settings: PolicySettings) -> RoutingPolicy | None:
        known = self._keys.get(id(settings))
        if known is not None and known[0] is settings and known[1] == plugins.version:
            key, kept = known[2], self._lasting
        else:
            try:
                key = self._key(settings)
            except TypeError:  # an option that is not hashable, which load_router refuses
                return None
            kept = self._of(settings)
        with self._lock:
            found = kept.get(key)
            if found is None:
                return None
            kept.move_to_end(key)
        return found.current()

    def _key(self, settings: PolicySettings) -> Hashable:
        """Return the key of settings, and remember it for the next call with the same object.

        A route's settings are one object, and building their key takes longer than the rest of
        finding a policy.
        """
        version = plugins.version
        key = _key_of(settings, version)
        if not settings.is_of_one_call:
            if len(self._keys) >= self._size:
                self._keys.clear()
            self._keys[id(settings)] = settings, version, key
        return key

    def _of(self, settings: PolicySettings) -> OrderedDict[Hashable, Reloaded]:
        return self._of_one_call if settings.is_of_one_call else self._lasting

    def failed(self, settings: PolicySettings, error: Exception, start: float) -> Decision:
        """Return the decision on a call whose policy could not be built."""
        cause = self._failures.setdefault(settings.subject, Failures()).note(error, settings)
        elapsed_ms = (time.perf_counter() - start) * 1000
        threshold, router = settings.threshold, settings.router
        decision = Decision(settings.on_error, None, threshold, router, cause, elapsed_ms)
        plugins.decided(decision)
        return decision


_policies = _Policies()


def policy_of(settings: PolicySettings) -> RoutingPolicy:
    """Return the policy of these settings, which loads its router on first use.

    Raises:
        RouteLLMError: there is no such router, or it cannot be loaded.
    """
    return _policies.get(settings)


async def apolicy_of(settings: PolicySettings) -> RoutingPolicy:
    """Like ``policy_of``, without blocking the event loop while a router loads."""
    import asyncio

    policy = _policies.find(settings)
    return policy if policy is not None else await asyncio.to_thread(_policies.get, settings)


def decide(settings: PolicySettings, call: Call, *, checked: bool = False) -> Decision:
    """Decide where a call goes, by the policy of its settings.

    Args:
        settings: the settings.
        call: what is decided on, as in ``RoutingPolicy.decide``.
        checked: whether the settings had a policy before. A router that is gone since then, with
            its plugin, is a failure that sends the call to ``on_error``, and not an error.

    Raises:
        RouteLLMError: the settings name no router, or one that cannot be loaded.
    """
    start = time.perf_counter()
    try:
        policy = _policies.get(settings)
    except Exception as error:
        if isinstance(error, RouteLLMError) and not checked:
            raise
        return _policies.failed(settings, error, start)
    return policy.decide(call)


async def adecide(settings: PolicySettings, call: Call, *, checked: bool = False) -> Decision:
    """Like ``decide``, without blocking the event loop."""
    start = time.perf_counter()
    try:
        policy = await apolicy_of(settings)
    except Exception as error:
        if isinstance(error, RouteLLMError) and not checked:
            raise
        return _policies.failed(settings, error, start)
    return await policy.adecide(call)


def decide_each(calls: Sequence[tuple[PolicySettings, Call]]) -> list[Decision | RouteLLMError]:
    """Decide on calls that each have settings; calls with equal settings are scored together.

    Returns:
        For each the decision, or why its settings are wrong, in their order.
    """
    outcomes: dict[int, Decision | RouteLLMError] = {}
    alike: dict[RoutingPolicy, list[int]] = {}
    for at, (settings, call) in enumerate(calls):
        try:
            alike.setdefault(_policies.get(settings), []).append(at)
        except RouteLLMError as error:
            outcomes[at] = error
        except Exception:
            outcomes[at] = decide(settings, call)
    for policy, places in alike.items():
        decisions = policy.decide_many([calls[at][1] for at in places])
        outcomes.update(zip(places, decisions, strict=True))
    return [outcomes[at] for at in range(len(calls))]


async def adecide_each(
    calls: Sequence[tuple[PolicySettings, Call]],
) -> list[Decision | RouteLLMError]:
    """Like ``decide_each``, without blocking the event loop."""
    import asyncio

    return await asyncio.to_thread(decide_each, calls)


def _key_of(settings: PolicySettings, version: int) -> Hashable:
    # With types, since True and 1 are equal; with the plugins' version, so that a router whose
    # plugin was replaced is not used on.
    options = [(name, type(value), value) for name, value in settings.router_options.items()]
    return (
        version,
        settings.router,
        frozenset(options),
        settings.threshold,
        settings.strong_share,
        settings.saving,
        settings.max_cost_per_1k_requests,
        settings.strong_price,
        settings.weak_price,
        settings.tokens_per_request,
        settings.calibration,
        settings.adapt,
        settings.on_error,
        settings.on_no_text,
        settings.timeout_ms,
        settings.concurrency,
        settings.turns,
        settings.sticky,
        settings.explore,
        settings.hold,
        settings.owner,
    )
