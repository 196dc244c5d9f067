"""What the store is told of a route: its models, their prices, and what its threshold is from."""

from __future__ import annotations

from collections.abc import Mapping

from ...decision import Tier
from ...policy.policy import RoutingPolicy
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
    aim, known = policy.aim, {tier: each for tier, each in prices.items() if each}
    if aim.calibration is not None:
        file, n = policy.settings.calibration, aim.calibration.n
        return About(models, known, aim.share, file, aim.quantiles, n)
    if aim.share is None:
        return About(models, known)
    return About(models, known, aim.share, quantiles=[float(each) for each in aim.quantiles])
