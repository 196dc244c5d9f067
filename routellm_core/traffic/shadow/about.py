"""What the store is told of a route: its models, their prices, and what its threshold is from."""

from __future__ import annotations

from collections.abc import Mapping

from ...decision import Tier
from ...policy.policy import RoutingPolicy
from ...registry.loading import load_router
from ..store.kept import About


def about(
    policy: RoutingPolicy,
    models: Mapping[Tier, str | None],
    prices: Mapping[Tier, Mapping[str, float] | None],
) -> About:
    """Return what is known of a route.

    Args:
        policy: decides on its requests.
        models: by tier, their names.
        prices: by tier, dollars for a million tokens: ``input``, ``cached`` and ``output``; None
            where they are not known.
    """
    settings, calibration = policy.settings, policy.calibration
    known = {tier: each for tier, each in prices.items() if each}
    if calibration is not None:
        return About(
            models, known, calibration.share, settings.calibration, calibration.quantiles,
            calibration.n,
        )  # fmt: skip
    if settings.strong_share is None:
        return About(models, known)
    quantiles = load_router(settings.router, **settings.router_options).score_quantiles
    levels = () if quantiles is None else [float(each) for each in quantiles]
    return About(models, known, settings.strong_share, quantiles=levels)
