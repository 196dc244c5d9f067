"""What a policy's settings ask for: the threshold, and the share of calls it should give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..contracts import Router
from ..errors import ConfigError
from ..rules.budget import Costs, share_for_cost, share_for_saving
from ..rules.calibration import Calibration, read_calibration
from ..rules.prices import Price, check_per_million, price_of_model
from ..rules.share import NEVER, outside_range, threshold_for_share, ties

if TYPE_CHECKING:
    from ..settings import PolicySettings

USUAL_TOKENS = (500.0, 300.0)
"""Tokens that a request reads and writes, where nothing is said of them."""


@dataclass(frozen=True)
class Aim:
    """What a policy does, and the share that this should give."""

    threshold: float
    """Least strong win rate that goes to the strong model."""
    share: float | None
    """Share of scored calls that is to go there; None where a threshold was set."""
    quantiles: Sequence[float]
    """Of the scores on which that share rests, ascending, at evenly spaced levels from 0 to 1; none
    where there are none."""
    calibration: Calibration | None = None
    """The file that the threshold comes from."""
    warning: str | None = None
    """What to say about it."""


def aim_of(settings: PolicySettings, router: Router) -> Aim:
    """Return what the settings ask for with a router.

    Raises:
        ConfigError: they do not say how much goes to the strong model, or that is impossible.
        MissingExtraError: prices are to come from LiteLLM's table, and LiteLLM is not installed.
    """
    if router.is_stand_in:
        return Aim(
            NEVER if settings.threshold is None else settings.threshold,
            None,
            (),
            warning="its server does not answer, so nothing is scored until it does, and requests "
            f"go to the {settings.on_error} model",
        )
    if settings.calibration is not None:
        calibration = read_calibration(settings.calibration)
        calibration.check(settings.calibration, settings.router, router.fingerprint)
        if settings.adapt and calibration.guarantee:
            raise ConfigError(
                f"the guarantee of calibration {settings.calibration} holds only for its own "
                "threshold: remove 'adapt'"
            )
        return Aim(calibration.threshold, calibration.share, calibration.quantiles, calibration)
    quantiles = router.score_quantiles
    if settings.threshold is not None:
        warning = None if quantiles is None else outside_range(settings.threshold, quantiles)
        return Aim(settings.threshold, None, (), warning=warning)
    wish, share = _share(settings)
    if quantiles is None:
        raise ConfigError(
            f"router '{settings.router}' was never calibrated, so '{wish}' cannot "
            "be turned into a threshold: set 'threshold' instead"
        )
    if quantiles[0] == quantiles[-1]:
        raise ConfigError(
            f"router '{settings.router}' gives all usual prompts the score {quantiles[0]:.4g}, so "
            f"no threshold separates them for '{wish}': use another router"
        )
    threshold = threshold_for_share(quantiles, share)
    return Aim(threshold, share, quantiles.tolist(), warning=ties(quantiles, threshold, share))


def _share(settings: PolicySettings) -> tuple[str, float]:
    """Return what is wished, and the share for the strong model that it takes."""
    if settings.strong_share is not None:
        return "strong_share", settings.strong_share
    if settings.saving is not None:
        return "saving", share_for_saving(_costs(settings, "saving"), settings.saving)
    most = settings.max_cost_per_1k_requests
    if most is None:
        raise ConfigError(
            "neither 'strong_share' nor 'threshold' is set: write strong_share: 0.3 to send "
            "about 30 % of usual traffic to the strong model"
        )
    wish = "max_cost_per_1k_requests"
    if settings.tokens_per_request is None:
        raise ConfigError(
            f"'{wish}' needs to know how long requests are: write tokens_per_request: [500, 300], "
            "the mean tokens read and written, or calibrate on logs, which hold them: "
            f"routellm calibrate --prompts FILE --{wish.replace('_', '-')} {most:g}"
        )
    return wish, share_for_cost(_costs(settings, wish), most)


def _costs(settings: PolicySettings, wish: str) -> Costs:
    given, answered = settings.tokens_per_request or USUAL_TOKENS
    strong, weak = (
        price_for(wish, name, getattr(settings, name)).costs(_one(given), _one(answered))
        for name in ("strong_price", "weak_price")
    )
    return Costs(strong, weak)


def price_for(wish: str, name: str, price: tuple[float, float] | str | None) -> Price:
    """Return the price that a setting names.

    Args:
        wish: the setting that needs it.
        name: of the setting.
        price: its value.

    Raises:
        ConfigError: it is not set or of one token, or LiteLLM's table lacks the model.
        MissingExtraError: it is a model's name, and LiteLLM is not installed.
    """
    if price is None:
        raise ConfigError(
            f"'{wish}' needs the prices of both models: write {name}: [2.5, 10], dollars for a "
            "million tokens read and written, or the model's name in LiteLLM's table"
        )
    if isinstance(price, str):
        return price_of_model(price)
    check_per_million(price, f"{name}: {list(price)}")
    return Price(*price)


def _one(number: float) -> NDArray[np.float64]:
    return np.array([number])
