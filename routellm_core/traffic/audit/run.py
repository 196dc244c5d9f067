"""The whole of an audit: from logs to what is told."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...data.logs.calls import Skipped
from ...data.tables import count_rows
from ...errors import DataError
from ...policy.policy import RoutingPolicy
from ...progress import Progress
from ...registry.loading import load_router
from ...rules.calibration import Calibration, calibration_of
from ...rules.share import threshold_for_share, threshold_in
from .caches import Prices
from .columns import Calls, read_columns
from .logs import prompts_at, read_logs
from .result import Audit, audit
from .sections import Near

_OFF = 0.01
"""A share that differs by more from the one asked for is told."""

_TEXT = 200
"""Characters of a prompt that are shown."""


@dataclass(frozen=True)
class Found:
    """What an audit found."""

    audit: Audit
    skipped: tuple[str, ...]
    """Lines on what could not be read."""
    near: tuple[Near, ...]
    calibration: Calibration | None
    """Of the threshold, if it was chosen by share."""


def audit_logs(
    paths: Sequence[Path],
    policy: RoutingPolicy,
    *,
    share: float | None,
    prices: Prices | None,
    output_tokens: float,
    idle_s: float,
    routes: Collection[str] = (),
    show_prompts: int = 0,
    progress: Progress,
) -> Found:
    """Say what a policy would have done with the calls in logs.

    Args:
        paths: of the logs.
        policy: scores, and has the threshold.
        share: of the prompts that are scored, for the strong model, in place of that threshold.
        prices: of both models; None: nothing is said of costs.
        output_tokens: of an answer, where no log tells.
        idle_s: seconds after its last use at which a prompt cache is cold.
        routes: only calls that asked for one of these models; none: all.
        show_prompts: how many prompts near the threshold are read again, with their text.
        progress: receives how far it is.

    Raises:
        DataError: the logs hold no call that can be scored, or are pipes, and prompts are to be
            shown.
    """
    for path in paths:
        if show_prompts and not path.is_file():
            raise DataError(
                f"{path} cannot be read twice, so no prompts can be shown: write a file"
            )
    skipped, ended = Skipped(), list[str]()
    total = sum(map(count_rows, paths))
    read = read_logs(paths, skipped, ended, routes)
    try:
        calls = read_columns(policy, read, total=total, progress=progress)
    except DataError as error:
        of = f" that asked for {' or '.join(routes)}" if routes else ""
        raise DataError("; ".join(ended) or "; ".join([f"{error}{of}", *skipped.lines()])) from None
    settings, scores = policy.settings, calls.scores[~np.isnan(calls.scores)]
    router = load_router(settings.router, **settings.router_options)
    threshold, usual = policy.threshold, None
    if share is not None and len(scores):
        threshold = threshold_in(scores, share)
        if router.score_quantiles is not None:
            usual = threshold_for_share(router.score_quantiles, share)
    found = audit(
        calls,
        router=settings.router,
        threshold=threshold,
        prices=prices,
        output_tokens=output_tokens,
        idle_s=idle_s,
        on_error_strong=settings.on_error == "strong",
        side_strong=settings.utility == "strong",
        sticky=settings.sticky == "conversation",
        uncalibrated=usual,
        nearest=show_prompts,
    )
    calibration = None
    if share is not None:
        calibration = calibration_of(
            scores,
            threshold,
            router=settings.router,
            fingerprint=router.fingerprint,
            rule={"strong_share": share},
            data=calls.digest,
            date=datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        )
    lines = [*ended, *skipped.lines()]
    achieved = float((scores >= threshold).mean())
    if share is not None and abs(achieved - share) > max(_OFF, 1 / len(scores)):
        lines.append(
            f"a strong share of {share:.1%} cannot be reached: many prompts have the same score, "
            "and no threshold can separate them"
        )
    return Found(found, tuple(lines), _near(found, calls, paths, routes), calibration)


def changed_settings(policy: RoutingPolicy, names: Sequence[str]) -> Mapping[str, Any]:
    """Return those settings of a policy, among ``names``, that are not at their defaults."""
    fields = type(policy.settings).model_fields
    values = {name: getattr(policy.settings, name) for name in names}
    return {name: value for name, value in values.items() if value != fields[name].default}


def _near(
    found: Audit, calls: Calls, paths: Sequence[Path], routes: Collection[str]
) -> tuple[Near, ...]:
    if not found.nearest:
        return ()
    for path in paths:
        if not path.is_file():
            raise DataError(
                f"{path} cannot be read twice, so no prompts can be shown: write a file"
            )
    texts = prompts_at(paths, found.nearest, routes)
    scores = calls.scores[list(found.nearest)].tolist()
    return tuple(
        Near(score, "strong" if score >= found.threshold else "weak", _one_line(text))
        for score, text in zip(scores, texts, strict=True)
    )


def _one_line(text: str) -> str:
    shown = " ".join(text[: 2 * _TEXT].encode("utf-8", "replace").decode().split())
    line = "".join(char if char.isprintable() else "\ufffd" for char in shown)
    return line if len(line) <= _TEXT else f"{line[: _TEXT - 3]}..."
