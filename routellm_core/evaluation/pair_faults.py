"""Faults of a pair of models, found before any work: the strong one is no better, or is cheaper."""

from __future__ import annotations

from ..errors import ConfigError, MissingExtraError
from ..rules.prices import Price, price_of_model


def no_better(strong: float, weak: float, of: str) -> str | None:
    """Return a line if the strong model's answers are no better on average; None if they are.

    Args:
        strong: mean quality of the strong model's answers.
        weak: mean quality of the weak model's answers.
        of: what the qualities were measured on, for the message.
    """
    if strong - weak > 1e-12 * max(abs(strong), abs(weak)):
        return None
    return (
        f"the strong model is no better on {of} (mean quality {strong:.4g} against {weak:.4g}): "
        "check that the two models are not swapped, or call the weak one alone"
    )


def cheaper_by_table(strong_model: str, weak_model: str) -> str | None:
    """Return a line if LiteLLM's table says that the strong model is the cheaper one; None if it
    does not, has no price of one of them, or is not installed.
    """
    try:
        strong, weak = price_of_model(strong_model), price_of_model(weak_model)
    except (ConfigError, MissingExtraError):
        return None
    return cheaper(strong, weak, strong_model, "LiteLLM's table")


def cheaper(
    strong: Price | float, weak: Price | float, name: str | None, source: str
) -> str | None:
    """Return a line if the strong model costs less; None if it does not, or not in every respect.

    Args:
        strong: token prices of the strong model, or its cost per query.
        weak: the same for the weak model.
        name: name of the strong model; None if it has none.
        source: where the prices come from, for the message.
    """
    ours, theirs = _parts(strong), _parts(weak)
    if ours == theirs or any(own > other for own, other in zip(ours, theirs, strict=True)):
        return None
    strong_model = f"the strong model '{name}'" if name else "the strong model"
    each = "for a million tokens read and written" if len(ours) > 1 else "a query"
    return (
        f"{strong_model} is the cheaper one by {source} ({_written(ours)} against "
        f"{_written(theirs)} {each}): if it is the better one too, call it alone; if not, swap the "
        "two"
    )


def _parts(price: Price | float) -> tuple[float, ...]:
    return (price.given, price.answered) if isinstance(price, Price) else (price,)


def _written(prices: tuple[float, ...]) -> str:
    return " and ".join(f"{price:.4g}" for price in prices)
