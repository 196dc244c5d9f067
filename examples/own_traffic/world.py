"""A small world whose truth is known: what people ask, and how likely each model is right.

The questions are those of an online shop's staff. The hidden quality function is one that no public
benchmark can tell: the weak model knows SQL and arithmetic well, and not this shop's rules on
refunds and customs, whose questions look easy.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from routellm_core.data.digests import sha256_of
from routellm_core.decision import Tier

Floats = NDArray[np.float64]

STRONG, WEAK, JUDGE = "gpt-4o", "gpt-4o-mini", "judge"
PRICES: Mapping[str, tuple[float, float]] = {STRONG: (2.5, 10), WEAK: (0.15, 0.6), JUDGE: (2.5, 10)}
"""Dollars for a million tokens read and written."""

_ITEMS = ("lamp", "kettle", "tent", "drill", "sofa", "bicycle", "camera", "blender", "desk", "pram")
_PLACES = ("Norway", "Switzerland", "Canada", "Chile", "Japan", "Kenya", "Brazil", "Serbia")
_TABLES = ("orders", "returns", "customers", "suppliers", "payments", "shipments")
_OPENINGS = ("", "Hi! ", "Quick question: ", "For a customer on the phone: ", "Again, please. ")
_DAYS = (3, 9, 16, 24, 33, 47, 58, 71)


@dataclass(frozen=True)
class _Kind:
    """Questions of one kind, and how likely each model answers one rightly."""

    forms: tuple[str, ...]
    strong: float
    weak: float


_KINDS = (
    _Kind(
        (
            "A customer wants to return a {item} after {day} days without the box. Do we pay?",
            "Is a {item} that was opened {day} days ago refunded in cash or as a voucher?",
            "The {item} broke on day {day}. Does the buyer or the maker pay the postage?",
        ),
        *(0.95, 0.45),
    ),
    _Kind(
        (
            "Which customs papers does a {item} to {place} need?",
            "Do we charge duty on a used {item} that goes back to {place}?",
        ),
        *(0.92, 0.4),
    ),
    _Kind(
        (
            "Write SQL: the {day} {table} with the highest totals for each month, with ties.",
            "Write SQL that finds duplicates in {table} of {day} days and keeps the newest.",
        ),
        *(0.94, 0.92),
    ),
    _Kind(
        (
            "Compute the price of {day} pieces of a {item} at 14.90 each, less 12 %, with tax.",
            "If {day} of 180 pieces of the {item} sold, how many sell in a week at this pace?",
        ),
        *(0.96, 0.94),
    ),
    _Kind(
        (
            "Write two friendly sentences that praise our new {item} for readers in {place}.",
            "Suggest five names for a {item} that we sell in {place}.",
            "Translate into English for a buyer in {place}: your {item} has been shipped.",
        ),
        *(0.95, 0.93),
    ),
    _Kind(
        (
            "Where do I see the status of {table} that are {day} days old?",
            "Remind me how to print the label for a {item}, please.",
        ),
        *(0.97, 0.95),
    ),
)


@dataclass(frozen=True)
class World:
    """Questions, and the truth about them; n of them, in random order."""

    prompts: Sequence[str]
    right: Mapping[Tier, Floats]
    """How likely each model answers rightly, by tier, shape (n,)."""

    def __len__(self) -> int:
        return len(self.prompts)

    def part(self, start: int, stop: int) -> World:
        """Return some of the questions."""
        right = {tier: each[start:stop] for tier, each in self.right.items()}
        return World(self.prompts[start:stop], right)

    @property
    def gains(self) -> Floats:
        """How much better the strong model's answer is expected to be, shape (n,)."""
        gains: Floats = self.right["strong"] - self.right["weak"]
        return gains


def make_world() -> World:
    """Return all questions."""
    found: dict[str, tuple[float, float]] = {}
    for kind in _KINDS:
        slots = itertools.product(_ITEMS, _PLACES, _TABLES, _DAYS)
        for form, (item, place, table, day) in itertools.product(kind.forms, slots):
            text = form.format(item=item, place=place, table=table, day=day)
            found.update((opening + text, (kind.strong, kind.weak)) for opening in _OPENINGS)
    prompts = sorted(found)
    random.Random(0).shuffle(prompts)
    columns = np.array([found[prompt] for prompt in prompts]).T
    return World(prompts, {"strong": columns[0], "weak": columns[1]})


def is_right(model: str, prompt: str, probability: float) -> bool:
    """Return whether a model's answer to a prompt is right: at random, and always the same."""
    drawn = int(sha256_of(f"{model}\n{prompt}")[:12], 16) / 16**12
    return drawn < probability
