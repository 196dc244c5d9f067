"""Options that several commands take."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from ...errors import ConfigError, MissingExtraError
from ...evaluation.pair_faults import cheaper, cheaper_by_table
from ...rules.prices import Price, price_of, price_of_model

Pair = tuple[str | None, str | None]
"""Of the strong and of the weak model."""

RouterName = Annotated[str, typer.Option(help="Name of the router.")]
Checkpoint = Annotated[str | None, typer.Option(help="Bundled name, folder or Hugging Face id.")]
RouterOptions = Annotated[
    list[str] | None, typer.Option(metavar="NAME=VALUE", help="A router option; may be repeated.")
]
StrongModelOfPrice = Annotated[
    str | None, typer.Option(help="Strong model, for its price in LiteLLM's table.")
]
WeakModelOfPrice = Annotated[
    str | None, typer.Option(help="Weak model, for its price in LiteLLM's table.")
]
StrongPrice = Annotated[
    str | None,
    typer.Option(
        metavar="IN,OUT",
        help="Dollars for a million tokens read and written by the strong model. Left out: "
        "LiteLLM's price of --strong-model.",
    ),
]
WeakPrice = Annotated[
    str | None, typer.Option(metavar="IN,OUT", help="The same of the weak model.")
]
OutputTokens = Annotated[
    float, typer.Option(min=0.0, help="Tokens per answer, where the log does not say.")
]


def check_is_not_read(out: Path | None, inputs: Iterable[Path | None]) -> None:
    """Refuse to write where the command reads, since its input would be lost.

    Raises:
        ConfigError: the file to write is one of the inputs.
    """
    for each in inputs:
        if out and each and out.exists() and each.exists() and out.samefile(each):
            raise ConfigError(f"{out} is an input of this command: name another file to write")


def options_of_router(option: list[str] | None, checkpoint: str | None) -> dict[str, object]:
    """Return the options for ``load_router``, from ``--option`` and ``--checkpoint``.

    Raises:
        ConfigError: an option is no pair.
    """
    options = dict(map(_router_option, option or ()))
    return {**options, "checkpoint": checkpoint} if checkpoint else options


def _router_option(text: str) -> tuple[str, object]:
    """Return name and value of ``--option NAME=VALUE``; the value is a number if it can be.

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


def tell_if_cheaper(
    models: Pair,
    prices: tuple[Price, Price] | tuple[float, float] | None,
    costs: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
    file: str,
) -> None:
    """Print a line on stderr if the strong model is the cheaper one, by the first that is known:
    the costs that a file has, the prices given, LiteLLM's table.

    Args:
        models: names of the strong and the weak model.
        prices: that were given, or found.
        costs: of answers of both models, each of shape (n,).
        file: what the costs are from.
    """
    line = None
    strong, weak = models
    if costs is not None:
        line = cheaper(float(costs[0].mean()), float(costs[1].mean()), strong, file)
    elif prices is not None:
        line = cheaper(prices[0], prices[1], strong, "the prices given")
    elif strong is not None and weak is not None:
        line = cheaper_by_table(strong, weak)
    if line:
        typer.secho(line, err=True, fg="yellow")


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
            raise ConfigError(
                "a cache price needs the model's --strong-price or --weak-price: add it"
            )
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
        raise ConfigError("only one model has a price: give prices for both models, or for neither")
    return (found[0], found[1]) if found else None
