"""Which two models a router that learned from the outcomes of many models compares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, did_you_mean


def pair_abilities(
    models: Sequence[str],
    known: NDArray[np.float64],
    default: tuple[str, str],
    names: tuple[str | None, str | None],
    abilities: tuple[float | None, float | None],
) -> tuple[float, float]:
    """Return the abilities of the strong and the weak model, in logits.

    Args:
        models: of the checkpoint, K of them.
        known: their abilities, shape (K,).
        default: the checkpoint's own pair.
        names: of models of the checkpoint; None for its own.
        abilities: in place of names; None for the named model's.

    Raises:
        ConfigError: a model is unknown, both are the same, an ability is given beside a name,
            or the strong model's is not the higher one.
    """
    if abilities == (None, None):
        checked_pair(names[0] or default[0], names[1] or default[1], models)
    chosen = []
    for at, tier in enumerate(("strong", "weak")):
        name, ability = names[at], abilities[at]
        if ability is None:
            name = known_model(f"{tier}_model", name or default[at], models)
            ability = float(known[models.index(name)])
        elif name is not None:
            raise ConfigError(f"both {tier}_model and {tier}_ability are set: keep one of them")
        chosen.append(ability)
    strong, weak = chosen
    if not strong > weak:
        raise ConfigError(
            f"the strong model's ability, {strong:.2f}, must be above the weak model's, "
            f"{weak:.2f}: swap the two, or name other models"
        )
    return strong, weak


def checked_pair(
    strong_model: str,
    weak_model: str,
    models: Sequence[str],
    absent: str = "not in the checkpoint",
) -> tuple[str, str]:
    """Return the two reference models.

    Args:
        strong_model: the strong one.
        weak_model: the weak one.
        models: those that the router knows.
        absent: what is wrong with another model, for the error message.

    Raises:
        ConfigError: one is unknown, or both are the same.
    """
    known_model("strong_model", strong_model, models, absent)
    known_model("weak_model", weak_model, models, absent)
    if strong_model == weak_model:
        raise ConfigError(
            f"strong_model and weak_model are both '{strong_model}', so every prompt would get "
            "the win rate 0.5: name two models"
        )
    return strong_model, weak_model


def known_model(
    option: str, model: str, models: Sequence[str], absent: str = "not in the checkpoint"
) -> str:
    """Return a reference model.

    Args:
        option: that names it, for the error message.
        model: its name.
        models: those that the router knows.
        absent: what is wrong with another model, for the error message.

    Raises:
        ConfigError: it is unknown; the nearest known name is given.
    """
    if model not in models:
        raise ConfigError(f"{option} '{model}' is {absent}: {did_you_mean(model, models)}")
    return model
