"""Calibration files: a threshold, and what it was chosen for."""

from __future__ import annotations

import json
import math
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.json_rows import shown
from ..errors import ConfigError
from .share import LEVELS, NEVER, quantiles_of

VERSION = 1
"""Of the form of the files."""

_LARGEST = 1_000_000
"""Bytes. A file has some thousands; whatever is larger is another file."""

_REMEDY = "make it again with `routellm calibrate --out`"


@dataclass(frozen=True)
class Calibration:
    """A threshold that was chosen on prompts, by a rule, for the scores of one checkpoint."""

    threshold: float
    """Least strong win rate that goes to the strong model, in [0, 1]; the float above 1 for one
    that no score reaches."""
    router: str
    """Name of the router."""
    fingerprint: str | None
    """Of the router: its weights, encoder and options. None: it has none."""
    rule: Mapping[str, float]
    """What was asked for, such as ``{"strong_share": 0.3}``."""
    share: float
    """Share of the prompts that score the threshold or more, in [0, 1]."""
    n: int
    """How many prompts were scored."""
    data: str
    """SHA-256 of the prompts, in their order."""
    date: str
    """Day on which it was made, such as 2026-11-28."""
    quantiles: tuple[float, ...]
    """Of the scores, ascending, at ``LEVELS`` evenly spaced levels from 0 to 1."""
    guarantee: str | None = None
    """What holds of the quality, at which confidence, in words."""
    later_turns: int = 0
    """How many of the n were later turns of conversations, follow-ups included; 0: single prompts
    all."""

    def as_json(self) -> str:
        """Return the content of a calibration file."""
        values = {"routellm_calibration": VERSION, **asdict(self)}
        return json.dumps(values, indent=1) + "\n"

    def check(self, path: str, router: str, fingerprint: str | None) -> None:
        """Make sure that it was made for the scores of a router.

        Args:
            path: of its file, for the message.
            router: name of the router that is to use it.
            fingerprint: of that router. The same one under another name, as of a server that
                scores with it, is the same router.

        Raises:
            ConfigError: it was made for another router, or another checkpoint of it.
        """
        if fingerprint is not None and self.fingerprint == fingerprint:
            return
        if self.router != router:
            raise ConfigError(
                f"calibration {path} was made for router '{self.router}', and this is '{router}': "
                f"set router: {self.router}, or {_REMEDY} --router {router}"
            )
        if self.fingerprint != fingerprint:
            raise ConfigError(
                f"calibration {path} was made for another checkpoint of router '{router}' or other "
                f"options, so its threshold does not apply here: {_REMEDY} for this one"
            )


def calibration_of(
    scores: NDArray[np.float64],
    threshold: float,
    *,
    router: str,
    fingerprint: str | None,
    rule: Mapping[str, float],
    data: str,
    date: str,
    guarantee: str | None = None,
    later_turns: int = 0,
) -> Calibration:
    """Return the calibration that a threshold makes on ``scores`` (shape (n,), n >= 1)."""
    return Calibration(
        threshold=threshold,
        router=router,
        fingerprint=fingerprint,
        rule=rule,
        share=float((scores >= threshold).mean()),
        n=len(scores),
        data=data,
        date=date,
        quantiles=tuple(quantiles_of(scores).tolist()),
        guarantee=guarantee,
        later_turns=later_turns,
    )


def read_calibration(path: str) -> Calibration:
    """Read a calibration file.

    Args:
        path: of the file; a relative one begins at the working directory.

    Raises:
        ConfigError: it cannot be read, or is not a calibration file.
    """
    try:
        status = Path(path).stat()
        # A path may come from a call: no devices, and nothing that fills the memory.
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
            raise ConfigError(f"calibration {path} is not a calibration file: {_REMEDY}")
        values = json.loads(Path(path).read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, ConfigError):
            raise
        why = error.strerror if isinstance(error, OSError) else "not JSON"
        where = "" if Path(path).is_absolute() else f" in {Path.cwd()}"
        raise ConfigError(f"calibration {path} cannot be read{where} ({why}): {_REMEDY}") from error
    if not isinstance(values, dict) or "routellm_calibration" not in values:
        raise ConfigError(f"calibration {path} is not a calibration file: {_REMEDY}")
    if values.pop("routellm_calibration") != VERSION:
        raise ConfigError(
            f"calibration {path} was written by another version of this package: {_REMEDY}"
        )
    wrong = _wrong(values)
    if wrong is not None:
        raise ConfigError(
            f"calibration {path} is damaged: '{wrong}' is missing, unknown or invalid: {_REMEDY}"
        )
    return Calibration(**{**values, "quantiles": tuple(values["quantiles"])})


def _wrong(values: dict[str, Any]) -> str | None:
    """Return the key whose value cannot be, if there is one."""
    known = {field.name for field in fields(Calibration)}
    for key in sorted(known ^ values.keys()):
        return shown(key).strip("'")
    texts = {key: isinstance(values[key], str) for key in ("router", "data", "date")}
    texts |= {
        key: values[key] is None or isinstance(values[key], str)
        for key in ("fingerprint", "guarantee")
    }
    quantiles, rule = values["quantiles"], values["rule"]
    right = {
        **texts,
        "threshold": _is_number(values["threshold"], NEVER),
        "share": _is_number(values["share"], 1.0),
        "n": type(values["n"]) is int and values["n"] > 0,
        "later_turns": type(values["later_turns"]) is int and values["later_turns"] >= 0,
        "rule": isinstance(rule, dict)
        and all(_is_number(value, math.inf) for value in rule.values()),
        "quantiles": isinstance(quantiles, list)
        and len(quantiles) == LEVELS
        and all(_is_number(value, 1.0) for value in quantiles)
        and sorted(quantiles) == quantiles,
    }
    return next((key for key, fits in right.items() if not fits), None)


def _is_number(value: object, most: float) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return 0.0 <= value <= most
