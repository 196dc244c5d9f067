"""What tokens cost: prices that are given, or those of LiteLLM's table where it is installed."""

from __future__ import annotations

import importlib.util
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, MissingExtraError, did_you_mean

_TABLE = "model_prices_and_context_window_backup.json"
"""In LiteLLM's package, which is not imported: that takes seconds."""

_GIVE = (
    "the prices of both models, in dollars for a million tokens read and written: "
    "strong_price: [2.5, 10], or at the terminal --strong-price 2.5,10"
)

_BYTES_PER_TOKEN = 4.0
"""Of UTF-8, in English text with the tokenizers of OpenAI."""


@dataclass(frozen=True)
class Price:
    """Of a model's tokens, in dollars for a million."""

    given: float
    """For what it reads."""
    answered: float
    """For what it writes."""
    cache_read: float | None = None
    """For what it has in its prompt cache; None: a tenth of ``given``."""
    cache_written: float | None = None
    """For what it puts there; None: 1.25 times ``given``."""

    @property
    def read(self) -> float:
        """For what it has in its prompt cache."""
        return 0.1 * self.given if self.cache_read is None else self.cache_read

    @property
    def written(self) -> float:
        """For what it puts there."""
        return 1.25 * self.given if self.cache_written is None else self.cache_written

    def costs(self, given: NDArray[np.float64], answered: NDArray[np.float64]) -> Any:
        """Return what requests with so many tokens cost, in dollars: the shape of the arrays."""
        return (given * self.given + answered * self.answered) / 1e6


def price_of(text: str) -> Price:
    """Return the price that is written, such as ``2.5,10``, in dollars for a million tokens.

    Raises:
        ConfigError: it is no such pair of numbers.
    """
    try:
        given, answered = map(float, text.split(","))
    except ValueError:
        given = answered = math.nan
    if not (0 <= given < math.inf and 0 <= answered < math.inf):
        raise ConfigError(
            f"a price is '{text}': write dollars for a million tokens read and a million written, "
            "such as 2.5,10"
        )
    return Price(given, answered)


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
    given, answered = entry.get("input_cost_per_token"), entry.get("output_cost_per_token")
    if given is None or answered is None:
        raise ConfigError(
            f"LiteLLM's table has no price for '{model}': {did_you_mean(model, table)} Or give "
            f"{_GIVE}"
        )
    caches = (
        None if (cost := entry.get(key)) is None else float(cost) * 1e6
        for key in ("cache_read_input_token_cost", "cache_creation_input_token_cost")
    )
    return Price(float(given) * 1e6, float(answered) * 1e6, *caches)


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
