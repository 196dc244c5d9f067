"""Options that several commands take."""

from __future__ import annotations

import typer

from ..errors import ConfigError, MissingExtraError
from ..rules.prices import Price, price_of, price_of_model

Pair = tuple[str | None, str | None]
"""Of the strong and of the weak model."""


def router_option(text: str) -> tuple[str, object]:
    """Return name and value of ``--option NAME=VALUE``: a number, or else text.

    Raises:
        ConfigError: it is no such pair.
    """
    name, is_pair, value = text.partition("=")
    if not (name and is_pair):
        raise ConfigError(f"--option {text}: write NAME=VALUE, such as strong_ability=1.5")
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            continue
    return name, value


def model_prices(
    models: Pair, prices: Pair, caches: Pair = (None, None), *, required: bool
) -> tuple[Price, Price] | None:
    """Return the prices of both models; None if they are not given, or if one is not to be found,
    of which a line on stderr tells.

    Args:
        models: their names in LiteLLM's table.
        prices: as they are written, in place of those of the table.
        caches: prices of their prompt caches, beside the former.
        required: whether a price that cannot be found is an error.

    Raises:
        ConfigError: a price is written wrongly, or is given for one model alone, or both models
            are the same.
        MissingExtraError: one is required, and LiteLLM is not installed.
    """
    if models[0] is not None and models[0] == models[1]:
        raise ConfigError(
            f"--strong-model and --weak-model are both '{models[0]}': name two models"
        )
    found = []
    for model, price, cache in zip(models, prices, caches, strict=True):
        if price is None and cache is not None:
            raise ConfigError("a price of a cache goes with --strong-price or --weak-price: add it")
        if price is not None:
            found.append(price_of(price, cache))
        elif model is not None:
            try:
                found.append(price_of_model(model))
            except (ConfigError, MissingExtraError) as error:
                if required:
                    raise
                typer.secho(f"without costs: {error}", err=True)
                return None
    if len(found) == 1:
        raise ConfigError("a price of one model is given: give those of both, or of none")
    return (found[0], found[1]) if found else None
