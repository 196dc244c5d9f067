"""The tensors of a checkpoint: which there are, and whether they fit each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...checkpoints.store import Tensors

TENSORS = (
    "vectors",
    "first",
    "second",
    "p_first",
    "weight",
    "features.mean",
    "features.projection",
    "traffic",
)
"""The tensors of a checkpoint that was trained on battles, for n of them, D features and k
directions along which prompts are compared: (n, k) int8, then the columns of ``Battles``, (D,),
(D, k), and the vectors of prompts that stand for usual traffic, int8."""

OUTCOME_TENSORS = (
    "vectors",
    "difficulty",
    "contrast",
    "weight",
    "ability",
    "features.mean",
    "features.projection",
    "traffic",
)
"""The tensors of one that was trained on the outcomes of K models on n prompts: the prompts'
difficulties (n,), contrasts (n,) and the models' abilities (K,), in place of who met whom."""


def consistent(tensors: Tensors, models: int, features: int) -> bool:
    """Whether the tensors of a checkpoint that was trained on battles fit each other.

    Args:
        tensors: of it, ``TENSORS``.
        models: how many models it names.
        features: how many features its encoder has.
    """
    columns = ("first", "second", "p_first")
    p_first = tensors["p_first"]
    return (
        _vectors_fit(tensors, columns, features)
        and all(
            ((tensors[name] >= 0) & (tensors[name] < models)).all() for name in ("first", "second")
        )
        and bool(((p_first >= 0) & (p_first <= 1)).all())
    )


def consistent_outcomes(tensors: Tensors, models: int, features: int) -> bool:
    """As ``consistent``, of ``OUTCOME_TENSORS``."""
    ability = tensors["ability"]
    return (
        _vectors_fit(tensors, ("difficulty", "contrast"), features)
        and len(tensors["difficulty"]) > 0
        and ability.shape == (models,)
        and all(np.isfinite(tensors[name]).all() for name in ("ability", "difficulty", "contrast"))
    )


def _vectors_fit(tensors: Tensors, columns: Sequence[str], features: int) -> bool:
    """Whether the vectors fit the features, and weights and columns the vectors."""
    battles, directions = len(tensors["weight"]), tensors["vectors"].shape[-1]
    weight = tensors["weight"]
    return (
        tensors["vectors"].shape == (battles, directions)
        and all(tensors[name].shape == (battles,) for name in (*columns, "weight"))
        and tensors["features.mean"].shape == (features,)
        and tensors["features.projection"].shape == (features, directions)
        and tensors["traffic"].shape[1:] == (directions,)
        and all(tensors[name].dtype == np.int8 for name in ("vectors", "traffic"))
        and all(np.isfinite(tensors[f"features.{part}"]).all() for part in ("mean", "projection"))
        and bool(((weight > 0) & (weight < np.inf)).all())
    )
