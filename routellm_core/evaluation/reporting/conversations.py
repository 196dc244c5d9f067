"""The table of what becomes of follow-ups, by several rules."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from ...contracts import Router
from ..conversations import RULES, Conversation, Figure, judge


def conversations_table(
    router: Router, threshold: float, name: str, conversations: Sequence[Conversation], draws: int
) -> Table:
    """Return how each rule does with conversations.

    Args:
        router: scores the turns.
        threshold: least score that goes to the strong model.
        name: of the router and the threshold, for the title.
        conversations: what is judged; at least one.
        draws: resamples for the intervals.
    """
    table = Table(
        "rule",
        "follow-ups\nkept on strong",
        "follow-ups of\nhard tasks strong",
        "easy after\nhard weak",
        "strong share\nof questions",
        "strong share\nof all turns",
        title=f"{len(conversations)} conversations, router: {name}",
    )
    for label, rule in RULES.items():
        result = judge(rule, router, threshold, conversations, draws)
        table.add_row(
            label,
            _percent(result.follow_ups_kept),
            _percent(result.hard_follow_ups),
            _percent(result.easy_released),
            _times(result.questions_ratio),
            _times(result.turns_ratio),
        )
    least = result.least_ratio
    table.caption = (
        "Strong shares are relative to that of the questions, each judged by itself; of all turns, "
        f"a rule without mistakes has {least.value:.2f} x ({least.low:.2f}-{least.high:.2f}), "
        "which depends on how many of the follow-ups are about tasks that went to strong. In "
        "brackets: bootstrap 95 % intervals."
    )
    return table


def _percent(figure: Figure) -> str:
    low, high = 100 * figure.low, 100 * figure.high
    return f"{100 * figure.value:.0f} %\n({low:.0f}-{high:.0f}, n={figure.count})"


def _times(figure: Figure) -> str:
    return f"{figure.value:.2f} x\n({figure.low:.2f}-{figure.high:.2f})"
