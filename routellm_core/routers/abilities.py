"""Which two models a router compares, if it was trained on the outcomes of many models."""

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
        models: names of the K models in the checkpoint.
        known: their abilities in logits, shape (K,).
        default: names of the checkpoint's default pair, the strong model first.
        names: the strong and the weak model chosen by name; None for the default.
        abilities: the same two chosen by ability, in logits, instead of by name; None to use the
            ability of the named model.

    Raises:
        ConfigError: a model is unknown, both are the same, one tier has both a name and an
            ability, or the strong model's ability is not the higher one.
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
        strong_model: name of the strong model.
        weak_model: name of the weak model.
        models: names of all models that the router knows.
        absent: how the error message describes an unknown model.

    Raises:
        ConfigError: a model is unknown, or both are the same.
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
    """Return the name of a reference model, after checking that the router knows it.

    Args:
        option: the option that names the model, for the error message.
        model: its name.
        models: names of all models that the router knows.
        absent: how the error message describes an unknown model.

    Raises:
        ConfigError: the model is unknown; the message suggests the most similar name.
    """
    if model not in models:
        raise ConfigError(f"{option} '{model}' is {absent}: {did_you_mean(model, models)}")
    return model
