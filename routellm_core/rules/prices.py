"""Token prices: those given, or those of LiteLLM's table where it is installed."""

from __future__ import annotations

import importlib.util
import json
import math
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, MissingExtraError

_TABLE = "model_prices_and_context_window_backup.json"
"""In LiteLLM's package, which is not imported: that takes seconds."""

_COLUMNS = (
    *("input_cost_per_token", "output_cost_per_token"),
    *("cache_read_input_token_cost", "cache_creation_input_token_cost"),
)
"""Of the table, in the order of ``Price``."""
_GIVE = (
    "the prices of both models, in dollars for a million tokens read and written: "
    "strong_price: [2.5, 10], or at the terminal --strong-price 2.5,10"
)

_LEAST = 1e-3
"""Dollars for a million tokens: no model that writes text is cheaper, and none has such a price for
one token."""

_BYTES_PER_TOKEN = 4.0
"""Of UTF-8, in English text with the tokenizers of OpenAI."""


@dataclass(frozen=True)
class Price:
    """The price of a model's tokens, in dollars per million."""

    given: float
    """For what it reads."""
    answered: float
    """For what it writes."""
    cached: float | None = None
    """For what it reads from its prompt cache; None: as for the rest of what it reads."""
    written: float | None = None
    """For what it reads and puts into the cache; None: likewise."""

    def costs(
        self,
        given: NDArray[np.float64],
        answered: NDArray[np.float64],
        cached: NDArray[np.float64] | float = 0.0,
        written: NDArray[np.float64] | float = 0.0,
    ) -> Any:
        """Return what requests with so many tokens cost, in dollars: the shape of the arrays.

        Args:
            given: what each reads in all.
            answered: what is written in each answer.
            cached: of those read, from a prompt cache.
            written: of those read, into it.
        """
        total = given * self.given + answered * self.answered
        if self.cached is not None:
            total = total + cached * (self.cached - self.given)
        if self.written is not None:
            total = total + written * (self.written - self.given)
        return total / 1e6


def price_of(text: str, of_cache: str | None = None) -> Price:
    """Parse a price, in dollars per million tokens.

    Args:
        text: for those read and those written, such as ``2.5,10``.
        of_cache: for those read from a prompt cache and, where that has a price of its own, put
            into it, such as ``0.3,3.75``.

    Raises:
        ConfigError: one is no such list of numbers, or a price of one token.
    """
    numbers = _numbers(text)
    if len(numbers) != 2:
        raise ConfigError(
            f"a price is '{text}': write dollars for a million tokens read and a million written, "
            "such as 2.5,10"
        )
    check_per_million((numbers[0], numbers[1]), text)
    caches = [] if of_cache is None else _numbers(of_cache)
    if of_cache is not None and len(caches) not in (1, 2):
        raise ConfigError(
            f"a price of a cache is '{of_cache}': write dollars for a million tokens read from it "
            "and, if it has a price of its own, a million put into it, such as 0.3,3.75"
        )
    return Price(*numbers, *caches)


def check_per_million(price: tuple[float, float], written: str) -> None:
    """Refuse a price for one token: a budget counted with it would never be spent.

    Args:
        price: of tokens read and written, meant to be of a million.
        written: the price as it was given, for the message.

    Raises:
        ConfigError: it is that of one token. 0 is a price, of a model of one's own.
    """
    if 0 < max(price) < _LEAST:
        read, answered = (1e6 * each for each in price)
        raise ConfigError(
            f"a price is '{written}', which is dollars for one token: write those for a million, "
            f"{read:g},{answered:g}"
        )


def _numbers(text: str) -> list[float]:
    """Return the numbers in a text, 0 or more each; none if there is anything else."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        return []
    return numbers if all(0 <= number < math.inf for number in numbers) else []


@lru_cache(maxsize=256)  # the table takes a tenth of a second to read
def price_of_model(model: str) -> Price:
    """Return the price in LiteLLM's table.

    Args:
        model: its name there, with or without its provider, as in ``openai/gpt-4o`` or
            ``openai:gpt-4o``.

    Raises:
        ConfigError: the table does not have the model, or no price for it.
        MissingExtraError: LiteLLM is not installed.
    """
    table = _table()
    names = (model, model.partition("/")[2], model.partition(":")[2])
    entry: dict[str, Any] = next((table[name] for name in names if name in table), {})
    given, answered, cached, written = map(entry.get, _COLUMNS)
    if given is None or answered is None:
        near = get_close_matches(model, table, n=1)
        perhaps = f"did you mean '{near[0]}'? Or give" if near else "give"
        raise ConfigError(f"LiteLLM's table has no price for '{model}': {perhaps} {_GIVE}")
    of_caches = (None if price is None else float(price) * 1e6 for price in (cached, written))
    return Price(float(given) * 1e6, float(answered) * 1e6, *of_caches)


def tokens_in(text: str) -> float:
    """Return about how many tokens a text has: a quarter of its bytes in UTF-8."""
    return len(text.encode("utf-8", "surrogatepass")) / _BYTES_PER_TOKEN


def _table() -> dict[str, Any]:
    found = importlib.util.find_spec("litellm")
    folders = (found.submodule_search_locations or []) if found else []
    for folder in folders:
        path = Path(folder) / _TABLE
        if path.is_file():
            table: dict[str, Any] = json.loads(path.read_bytes())
            return table
    raise MissingExtraError(
        f"prices of models come from LiteLLM's table, and LiteLLM is not installed: give {_GIVE}"
    )
