"""An audit in words and tables, the same at the terminal, in Markdown and in HTML."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ...evaluation.reporting.calibration import threshold_text
from ...evaluation.reporting.wording import UNDEFINED, percent
from ...rules.prices import Price
from .caches import LEAST_CACHED
from .result import Audit, Interval, Part

NO_LABELS = (
    "This says nothing about quality, since the log has no labels: `routellm label` makes them "
    "from your prompts."
)

TITLES = {
    "turn": "First turns and later turns",
    "route": "By route",
    "key": "By key",
    "team": "By team",
    "day": "By day (UTC)",
    "kind": "By kind of prompt, recognised by keywords",
}
"""Of the tables, in their order."""

_DAYS = 31
"""Rows of the table of days."""


@dataclass(frozen=True)
class Table:
    """A table, whose first column holds names."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    bold: int | None = None
    """Position of a row to be seen."""
    is_text: bool = False
    """Whether the last column is text and not a figure."""


@dataclass(frozen=True)
class Near:
    """A prompt whose score is near the threshold."""

    score: float
    model: str
    text: str


def title(audit: Audit) -> str:
    """Return the title of all forms of an audit."""
    when = ""
    if audit.first_day:
        same = audit.first_day == audit.last_day
        when = f", {audit.first_day}" + ("" if same else f" to {audit.last_day}")
    calls = "call" if audit.calls == 1 else "calls"
    conversations = "conversation" if audit.conversations == 1 else "conversations"
    return f"Audit of {audit.calls:,} {calls} in {audit.conversations:,} {conversations}{when}"


def headline(audit: Audit) -> list[str]:
    """Return the few sentences that say what was found."""
    sticky = ", each conversation kept on it from then on" if audit.sticky else ""
    lines = [
        f"Router {audit.router}, threshold {threshold_text(audit.threshold)}: "
        f"{_with_interval(audit.share)} of all calls would have gone to the strong model{sticky}."
    ]
    same, money = audit.repeated_prompt, audit.money
    if same is not None:
        model = "strong" if same.strong else "weak"
        lines.append(
            f"{same.calls:,} calls ({share(same.calls / audit.calls)}) ask the same, by their "
            f"score, as a job does: all of them would have gone to the {model} model. Of the other "
            f"calls, {share(same.others)} would have gone to the strong one."
        )
    if money is None:
        lines.append(
            "Without prices nothing is said of costs: give --strong-model and --weak-model, or "
            "--strong-price and --weak-price."
        )
    else:
        has_caches = any(price.cached is not None for price in money.prices)
        counted = ", prompt caches counted" if has_caches else ""
        lines.append(
            f"Always strong: {dollars(money.always_strong)}. Routed: {dollars(money.routed)}, "
            f"{_with_interval(money.saving)} saved{counted}. "
            f"Always weak: {dollars(money.always_weak)}."
        )
        if money.always_strong < money.always_weak:
            lines.append(
                "The strong model is the cheaper one at these prices, so routing cannot save: are "
                "the two the wrong way round?"
            )
        if money.cached_strong > 0 and not has_caches:
            lines.append(
                f"One strong model alone reads {tokens(money.cached_strong)} of "
                f"{tokens(audit.tokens_given)} tokens from its cache. They count in full, since "
                "the prices have none for a cache: give --strong-cache-price and "
                "--weak-cache-price."
            )
        elif money.cached_strong > 0:
            lines.append(
                f"One strong model alone reads {tokens(money.cached_strong)} of "
                f"{tokens(audit.tokens_given)} tokens from its cache, the routed models "
                f"{tokens(money.cached_routed)}. If caches were ignored, the saving would seem to "
                f"be {share(money.saving_without_caches)}."
            )
        if not audit.sticky:
            lines.append(
                f"With sticky: conversation, {share(money.saving_if_kept)} would have been saved."
            )
    return [*lines, NO_LABELS]


def tables(audit: Audit, near: Sequence[Near] = ()) -> list[Table]:
    """Return the tables of what went where, of what other thresholds do, and of the prompts near
    the threshold, if there are any.
    """
    found = [
        _parts(name, audit.parts[column], audit.money is not None)
        for column, name in TITLES.items()
        if column in audit.parts
    ]
    if near:
        rows = tuple((f"{each.score:.5f}", each.model, each.text) for each in near)
        headings = ("win rate", "goes to", "prompt")
        found.append(Table("Prompts nearest to the threshold", headings, rows, is_text=True))
    return [_curve(audit), *found]


def notes(audit: Audit, skipped: Sequence[str]) -> list[str]:
    """Return how it was counted, and what was left out.

    Args:
        audit: what was found.
        skipped: lines on rows that could not be read.
    """
    lines = [*_on_tokens(audit), *_on_caches(audit)]
    lines.append(
        "Conversations are recognised by their id, or by how they begin: key, team, system prompt, "
        "first words of the human and first answer. Follow-ups are judged with the turn that they "
        "are about, as at a gateway."
    )
    if math.isnan(audit.share.low):
        lines.append("There are too few conversations for intervals.")
    else:
        lines.append(
            "In brackets: 95 % intervals for further traffic like this, from the spread between "
            "conversations."
        )
    if audit.side:
        lines.append(
            f"{audit.side:,} calls serve the application (titles, summaries) and are not scored."
        )
    if audit.failed:
        lines.append(f"{audit.failed:,} calls could not be scored and count as strong.")
    if audit.uncalibrated_share is not None:
        lines.append(
            "Without the calibration file, the same strong_share would be one of usual traffic, "
            f"and send {share(audit.uncalibrated_share)} of these calls to the strong model."
        )
    return [*lines, *skipped]


def dollars(value: float) -> str:
    """Return an amount: ``$12.34``, ``$0.0012``."""
    return f"${value:,.2f}" if value >= 0.1 or value == 0 else f"${value:.2g}"


def tokens(value: float) -> str:
    """Return a number of tokens: ``812``, ``1.2 k``, ``3.4 M``."""
    for least, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= least:
            return f"{value / least:.1f}{unit}"
    return f"{value:.0f}"


def share(value: float | None) -> str:
    """Return a share: ``41.2 %``."""
    return UNDEFINED if value is None or math.isnan(value) else f"{percent(value)} %"


def _with_interval(found: Interval) -> str:
    if math.isnan(found.low):
        return share(found.value)
    return f"{share(found.value)} [{percent(found.low)}, {percent(found.high)}]"


def _curve(audit: Audit) -> Table:
    has_money = audit.money is not None
    rows = [
        (
            threshold_text(each.threshold),
            share(each.share),
            *((dollars(each.dollars or 0.0), share(each.saving)) if has_money else ()),
        )
        for each in reversed(audit.curve)
    ]
    headings = ("threshold", "strong share", *(("cost", "saved") if has_money else ()))
    places = [
        at for at, each in enumerate(reversed(audit.curve)) if each.threshold == audit.threshold
    ]
    return Table("What each threshold does", headings, tuple(rows), places[0])


def _parts(name: str, parts: Sequence[Part], has_money: bool) -> Table:
    more = ("always strong", "routed", "saved") if has_money else ()
    shown = parts[-_DAYS:] if name == TITLES["day"] else parts
    rows = tuple(
        (
            part.name,
            f"{part.calls:,}",
            share(part.share),
            *(
                (
                    dollars(part.always_strong or 0.0),
                    dollars(part.routed or 0.0),
                    share(part.saving),
                )
                if has_money
                else ()
            ),
        )
        for part in shown
    )
    last = f", the last {_DAYS}" if len(shown) < len(parts) else ""
    return Table(name + last, ("", "calls", "strong share", *more), rows)


def _on_tokens(audit: Audit) -> list[str]:
    lines = []
    if audit.tokens_predicted:
        lines.append(
            f"{audit.tokens_predicted:,} calls have no token counts in the log: they are estimated "
            "as a quarter of the bytes of the messages."
        )
    if audit.answers_predicted and audit.money:
        source = (
            "the mean of the others" if audit.answers_predicted < audit.calls else "--output-tokens"
        )
        lines.append(
            f"{audit.answers_predicted:,} answers of unknown length are assumed to have "
            f"{audit.usual_answer:.0f} tokens, {source}."
        )
    if audit.repeated:
        lines.append(
            f"{audit.repeated:,} calls were answered from the gateway's own cache and cost nothing."
        )
    if audit.money:
        lines.append("Both models are assumed to write answers of the same length.")
    if audit.money and audit.spend is not None:
        lines.append(
            f"According to the log, {dollars(audit.spend)} was spent on the models that served "
            "these calls."
        )
    return lines


def _on_caches(audit: Audit) -> list[str]:
    if audit.money is None:
        return []
    strong, weak = audit.money.prices
    lines = [f"Prices per million tokens: strong {_price(strong)}; weak {_price(weak)}."]
    if (strong.cached is None) != (weak.cached is None):
        lines.append(
            "Tokens from a cache without a price of their own count in full: give "
            "--strong-cache-price and --weak-cache-price."
        )
    predicted = audit.calls - audit.caches_logged
    if predicted:
        lines.append(
            f"Of {predicted:,} calls the log does not say what was cached. There a call reads from "
            "the cache what the call before gave, within the time that caches last, from "
            f"{LEAST_CACHED:,} tokens on."
        )
    lines.append(
        "Each model has a cache of its own: after a change of models only what that model has read "
        "before, and what the conversation's beginning has in common with others, is found there."
    )
    return lines


def _price(price: Price) -> str:
    text = f"${price.given:g} read, ${price.answered:g} written"
    if price.cached is not None:
        text += f", ${price.cached:g} from the cache"
    if price.written is not None:
        text += f", ${price.written:g} into it"
    return text
