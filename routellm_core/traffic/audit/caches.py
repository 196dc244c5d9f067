"""What calls cost on two models, of which each keeps a prompt cache of its own.

A conversation that changes models finds less in the cache than one that stays: what the new model
has not read is read in full, and put into its cache. A router that is compared with an always
strong model without that looks cheaper than it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...rules.prices import Price
from .columns import Calls, Floats
from .threads import threads_of

Mask = NDArray[np.bool_]
Prices = tuple[Price, Price]
"""Of the strong and of the weak model."""

LEAST_CACHED = 1_024
"""Tokens: shorter prompts are not cached, with most providers."""


@dataclass(frozen=True)
class Flow:
    """n calls in the order of their conversations, with what one model alone would have cached."""

    order: NDArray[np.intp]
    """Position in the log of each of these calls, shape (n,)."""
    begins: NDArray[np.intp]
    """Position here of the first call of each one's conversation."""
    given: Floats
    answered: Floats
    cached: Floats
    """Tokens that a model which had served the conversation so far reads from its cache."""
    written: Floats
    """Tokens that it puts into it."""
    when: Floats
    idle_s: float
    """Seconds after its last use at which a cache is cold."""
    logged: int
    """Of how many calls the log says what was cached."""

    @property
    def conversations(self) -> NDArray[np.intp]:
        """Number of each call's conversation, from 0, in this order."""
        number: NDArray[np.intp] = np.unique(self.begins, return_inverse=True)[1]
        return number


@dataclass(frozen=True)
class Spent:
    """What each of n calls costs in one way of routing, in the order of a flow."""

    dollars: Floats
    cached: Floats
    """Tokens read from a cache."""


def flow_of(calls: Calls, usual_answer: float, idle_s: float) -> Flow:
    """Return calls in the order of their conversations.

    A conversation goes on while its calls grow by messages; one that does not begins another. Where
    the log does not say what was cached, a call reads from the cache what the call before gave,
    if that was at most ``idle_s`` ago and has ``LEAST_CACHED`` tokens or more.

    Args:
        calls: as logged.
        usual_answer: tokens of an answer of unknown length.
        idle_s: seconds after its last use at which a cache is cold.
    """
    # Without a time, in the order of the log.
    place = np.arange(len(calls))
    when = np.where(np.isnan(calls.when), 0.0, calls.when)
    threads = threads_of(calls)
    order = np.lexsort((place, when, threads))
    same = np.zeros(len(order), bool)
    messages, conversation = calls.messages[order], threads[order]
    same[1:] = (conversation[1:] == conversation[:-1]) & (messages[1:] > messages[:-1])
    begins = np.maximum.accumulate(np.where(same, 0, place))
    given, when = calls.given[order], calls.when[order]
    gap = np.full(len(order), np.inf)
    gap[1:] = np.where(np.isnan(when[1:] - when[:-1]), 0.0, when[1:] - when[:-1])
    before = np.concatenate(([0.0], given[:-1]))
    predicted = np.where(same & (gap <= idle_s), np.minimum(before, given), 0.0)
    predicted[predicted < LEAST_CACHED] = 0.0
    logged = calls.cached[order]
    cached = np.minimum(np.where(np.isnan(logged), predicted, logged), given)
    # What the next call reads from the cache beyond what this one did, this one put there.
    later = np.zeros(len(order))
    later[:-1] = np.where(same[1:], cached[1:], 0.0)
    written = np.where(np.isnan(calls.written[order]), later - cached, calls.written[order])
    answered = calls.answered[order]
    return Flow(
        order=order,
        begins=begins,
        given=given,
        answered=np.where(np.isnan(answered), usual_answer, answered),
        cached=cached,
        written=np.clip(written, 0.0, given - cached),
        when=when,
        idle_s=idle_s,
        logged=int((~np.isnan(logged)).sum()),
    )


def spent(flow: Flow, is_strong: Mask, prices: Prices) -> Spent:
    """Return what calls cost that go to these models, prompt caches counted.

    A model that served the call before finds in its cache what one model alone would find; one
    that served an earlier call, not more than it read then; one that served none, or none of late,
    what the conversation's first call found, which its beginning has in common with others.

    Args:
        flow: the calls.
        is_strong: which go to the strong model, in the flow's order.
        prices: of both models.
    """
    dollars, cached = np.zeros(len(is_strong)), np.zeros(len(is_strong))
    for served, price in zip((is_strong, ~is_strong), prices, strict=True):
        found = _found(flow, served)[served]
        given = flow.given[served]
        lost = flow.cached[served] - found
        written = np.minimum(flow.written[served] + lost, given - found)
        dollars[served] = price.costs(given, flow.answered[served], found, written)
        cached[served] = found
    return Spent(dollars, cached)


def without_caches(flow: Flow, is_strong: Mask, prices: Prices) -> Floats:
    """Return what the calls would cost if nothing were ever cached."""
    strong, weak = (price.costs(flow.given, flow.answered) for price in prices)
    costs: Floats = np.where(is_strong, strong, weak)
    return costs


def kept_strong(flow: Flow, is_strong: Mask) -> Mask:
    """Return the calls that go to the strong model with ``sticky: conversation``: also those after
    a first one that did.
    """
    place = np.arange(len(is_strong))
    last = np.maximum.accumulate(np.where(is_strong, place, -1))
    kept: Mask = last >= flow.begins
    return kept


def _found(flow: Flow, served: Mask) -> Floats:
    """Return what a model finds in its cache for each call, if it serves the calls ``served``."""
    place = np.arange(len(served))
    last = np.concatenate(([-1], np.maximum.accumulate(np.where(served, place, -1))[:-1]))
    shared = np.minimum(flow.cached, flow.cached[flow.begins])
    has_served = last >= flow.begins
    at = np.where(has_served, last, 0)
    gap = flow.when - flow.when[at]
    is_warm = has_served & ~(gap > flow.idle_s)
    earlier = np.where(is_warm, np.minimum(flow.cached, flow.given[at]), 0.0)
    found: Floats = np.where(
        has_served & (last == place - 1), flow.cached, np.maximum(earlier, shared)
    )
    return np.where(place == flow.begins, flow.cached, found)
