"""Watch whether a policy gives the intended share and, with ``adapt``, keep it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ..contracts import Router
from ..rules.adapt import LEAST, moved
from ..rules.drift import Sketch, Status, drifted, p_value
from .aim import Aim
from .kept_threshold import KeptThreshold

if TYPE_CHECKING:
    from ..settings import PolicySettings

logger = logging.getLogger(__name__)

_LOOKED_AT = 1_000
"""Scored calls between two looks."""


class Watch:
    """Counts a policy's decisions; warns once if they drift from what was intended.

    With the setting ``adapt``, moves the threshold to where the share is what was meant.

    Args:
        settings: of the policy.
        aim: of the policy.
        router: of the policy.
    """

    def __init__(self, settings: PolicySettings, aim: Aim, router: Router) -> None:
        self._settings = settings
        self._aim = aim
        self._sketch = Sketch(aim.quantiles)
        self._warned = False
        # Of none there are no scores to tell by, and no share to double.
        self._adapts = bool(settings.adapt and aim.share)
        self._beyond: str | None = None
        self._file = None
        if isinstance(settings.adapt, str) and self._adapts:
            self._file = KeptThreshold(settings.adapt, settings.router, router.fingerprint, aim)
        kept = self._file.read() if self._file else None
        self.threshold = aim.threshold if kept is None else kept
        """Least strong win rate that goes to the strong model now."""

    def note(self, score: float, is_strong: bool) -> None:
        """Count a scored call."""
        if self._sketch.add(score, is_strong) % _LOOKED_AT == 0:
            self._look()

    def status(self, errors: Mapping[str, int]) -> Status:
        """Return what was done recently; ``errors`` are the failures to score, by kind."""
        scored, share, distance = self._sketch.figures()
        calibration = self._aim.calibration
        chance = None
        if calibration is not None and distance is not None:
            chance = p_value(distance, scored, calibration.n)
        status = Status(
            router=self._settings.router,
            threshold=self.threshold,
            target_share=self._aim.share,
            share=share,
            scored=scored,
            distance=distance,
            p_value=chance,
            errors=dict(errors),
        )
        if self._adapts:
            return replace(status, warning=self._beyond)
        return replace(status, warning=drifted(status, self._settings.calibration))

    def _look(self) -> None:
        if self._adapts and self._aim.share:
            self._adapt(self._aim.share)
        warning = None if self._warned else self.status({}).warning
        if warning is not None:
            self._warned = True
            logger.warning("%s: %s", self._settings.subject, warning)

    def _adapt(self, share: float) -> None:
        """Move the threshold to where so much goes to the strong model."""
        scored, achieved, _ = self._sketch.figures()
        wanted = self._sketch.threshold_for(share)
        if scored < LEAST or wanted is None:
            return
        before, found = self.threshold, moved(wanted, share, self._aim.quantiles)
        if found.threshold != before:
            self.threshold = found.threshold
            logger.info(
                "%s: threshold %.5f -> %.5f, since %.1f %% of the last %d scored calls "
                "went to the strong model, where %.1f %% are meant",
                self._settings.subject,
                before,
                found.threshold,
                100 * (achieved or 0.0),
                scored,
                100 * share,
            )
            if self._file:
                self._file.write(found.threshold)
        self._beyond = None
        if found.at_bound:
            self._beyond = (
                f"{share:.0%} of calls for the strong model would take the threshold "
                f"{wanted:.5f}, and 'adapt' moves it no further than {found.threshold:.5f}: "
                "calibrate again on recent prompts: routellm calibrate --prompts FILE"
            )
