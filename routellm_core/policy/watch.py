"""Watch whether what a policy does is what was meant when its threshold was chosen."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..contracts import Router
from ..rules.calibration import Calibration
from ..rules.drift import Sketch, Status, drifted, p_value

if TYPE_CHECKING:
    from ..settings import PolicySettings

logger = logging.getLogger(__name__)

_LOOKED_AT = 1_000
"""Scored calls between two looks."""


class Watch:
    """Counts what a policy decides, and warns once if it is no longer what was meant.

    Args:
        settings: of the policy.
        threshold: of the policy.
        calibration: what its threshold comes from, if it is a file.
        router: scores.
    """

    def __init__(
        self,
        settings: PolicySettings,
        threshold: float,
        calibration: Calibration | None,
        router: Router,
    ) -> None:
        self._settings = settings
        self._threshold = threshold
        self._calibration = calibration
        self._sketch = Sketch(_reference(settings, calibration, router))
        self._warned = False

    def note(self, score: float, is_strong: bool) -> None:
        """Count a scored call."""
        if self._sketch.add(score, is_strong) % _LOOKED_AT == 0 and not self._warned:
            warning = drifted(self.status({}), self._settings.calibration)
            if warning is not None:
                self._warned = True
                logger.warning("router '%s': %s", self._settings.router, warning)

    def status(self, errors: Mapping[str, int]) -> Status:
        """Return what was done of late; ``errors`` are the failures to score, by kind."""
        scored, share, distance = self._sketch.figures()
        calibration = self._calibration
        chance = None
        if calibration is not None and distance is not None:
            chance = p_value(distance, scored, calibration.n)
        return Status(
            router=self._settings.router,
            threshold=self._threshold,
            target_share=calibration.share if calibration else self._settings.strong_share,
            share=share,
            scored=scored,
            distance=distance,
            p_value=chance,
            errors=dict(errors),
        )


def _reference(
    settings: PolicySettings, calibration: Calibration | None, router: Router
) -> Sequence[float]:
    """Return the quantiles of the sample on which the threshold was chosen, if there is one."""
    if calibration is not None:
        return calibration.quantiles
    quantiles = router.score_quantiles if settings.strong_share is not None else None
    return () if quantiles is None else [float(each) for each in quantiles]
