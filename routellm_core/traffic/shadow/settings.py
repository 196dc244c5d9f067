"""What a user can set about shadow mode."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from ...errors import ConfigError
from ...rules.prices import price_of
from ...settings import Number, _as_text, _no_truth_value, validate_settings
from ..store.database import database_of, file_of
from ..store.keeping import redact_of

EXAMPLE = "{sample: 0.05, budget_usd: 10, store: traffic.db}"


class ShadowSettings(BaseModel):
    """The value of ``shadow``: which share of requests, for how much money, kept where."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    sample: Number = Field(ge=0.0, le=1.0, description="share of requests that is sampled")
    budget_usd: Number = Field(
        ge=0.0,
        description="what the other model's calls may cost in all, in dollars; the store counts",
    )
    store: Annotated[str, BeforeValidator(_as_text)] = Field(
        description="path of an SQLite file, or URL of a database for SQLAlchemy"
    )
    route: str | None = Field(default=None, description="name in the store, if not the alias's")
    per_minute: Number = Field(default=60.0, gt=0.0, le=1e6, description="calls a minute, at most")
    concurrency: Annotated[int, BeforeValidator(_no_truth_value)] = Field(
        default=4, ge=1, le=100, description="calls at once, at most"
    )
    timeout_s: Number = Field(
        default=60.0, gt=0.0, le=3600.0, description="time that a call may take, in seconds"
    )
    waiting: Annotated[int, BeforeValidator(_no_truth_value)] = Field(
        default=100, ge=0, le=10_000, description="sampled requests that may wait for their call"
    )
    texts: bool = Field(
        default=True, description="false: digests, scores and counts are kept, and no text"
    )
    redact: Any = Field(
        default=None, description="function from text to what may be kept of it, or its dotted path"
    )
    keep_days: Number | None = Field(
        default=30.0, gt=0.0, description="days after which requests are deleted; null: never"
    )
    strong_price: str | None = Field(
        default=None, description="dollars for a million tokens read and written, such as 2.5,10"
    )
    weak_price: str | None = Field(default=None, description="the same of the weak model")

    @field_validator("strong_price", "weak_price")
    @classmethod
    def _price(cls, text: str | None) -> str | None:
        if text is not None:
            try:
                price_of(text)
            except ConfigError as error:
                raise ValueError(str(error)) from None
        return text

    @field_validator("redact")
    @classmethod
    def _function(cls, value: Any) -> Any:
        if value is not None and not isinstance(value, str) and not callable(value):
            raise ValueError("write a function, or its dotted path such as my_module.redact")
        return value


def shadow_settings(values: object) -> ShadowSettings:
    """Return settings as a user wrote them.

    Raises:
        ConfigError: a value is missing, unknown or out of range, ``redact`` names no function, or
            there cannot be a store where ``store`` says.
        MissingExtraError: the store is a URL, and SQLAlchemy is not installed.
    """
    if isinstance(values, ShadowSettings):
        return values
    if not isinstance(values, Mapping):
        raise ConfigError(f"'shadow' must be a mapping such as {EXAMPLE}")
    try:
        settings = validate_settings(ShadowSettings, {str(key): v for key, v in values.items()})
        if isinstance(settings.redact, str):
            redact_of(settings.redact)
        _check_place(settings.store)
    except ConfigError as error:
        raise ConfigError(f"shadow: {error}") from None
    return settings


def _check_place(store: str) -> None:
    database_of(store)  # a URL that is none is told here; no file is made
    path = file_of(store)
    if path is not None and not Path(path).absolute().parent.is_dir():
        folder = Path(path).absolute().parent
        raise ConfigError(f"'store' is '{store}', and there is no folder {folder}: make it")
