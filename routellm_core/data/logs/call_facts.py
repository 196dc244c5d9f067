"""What logs say of a call beside its text: who asked, when, and what it cost."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True)
class CallFacts:
    """What a log says of a call; None where it does not."""

    route: str | None = None
    """The model that was asked for: a group of the gateway."""
    key: str | None = None
    """The API key's alias, or its hash."""
    team: str | None = None
    when: float | None = None
    """Seconds since 1970, UTC."""
    conversation: str | None = None
    cached: int | None = None
    """Tokens that the model read from its prompt cache."""
    written: int | None = None
    """Tokens that it wrote into it, for a price of their own."""
    spend: float | None = None
    """Dollars."""
    from_gateway_cache: bool = False
    """Whether the gateway answered from a cache of its own, so that no model was called."""


_ROUTES = ("model_group", "route")
_KEYS = ("user_api_key_alias", "key_alias", "key", "api_key", "user_api_key")
_TEAMS = ("user_api_key_team_alias", "team_alias", "team", "team_id", "user_api_key_team_id")
_TIMES = (
    *("startTime", "start_time", "startTimeUnixNano", "timeUnixNano", "timestamp"),
    "start_time_unix_nano",
    *("created_at", "createdAt", "created"),
)
_CONVERSATIONS = (
    *("gen_ai.conversation.id", "conversation_id", "sessionId", "thread_id"),
    *("langfuse.session.id", "conversationId"),
)
_SPENDS = ("spend", "calculatedTotalCost", "calculated_total_cost", "total_cost", "totalCost")
_CACHED = (
    *("cache_read_input_tokens", "input_cached_tokens", "cached_tokens", "input_cache_read"),
    *("prompt_cache_hit_tokens", "gen_ai.usage.cache_read.input_tokens"),
    "gen_ai.usage.cache_read_input_tokens",
)
_WRITTEN = (
    *("cache_creation_input_tokens", "cache_creation_tokens", "cache_write_tokens"),
    *("input_cache_creation", "gen_ai.usage.cache_creation.input_tokens"),
    "gen_ai.usage.cache_creation_input_tokens",
)
_DETAILS = ("prompt_tokens_details", "input_tokens_details")

_FRACTION = re.compile(r"\.(\d+)")
_SECONDS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))
"""Above the first, a time is in a unit of which so many make a second."""


def facts_of(row: Row, metadata: Row, usage: Row, model: object = None) -> CallFacts:
    """Return what a row says of its call.

    Args:
        row: the row, or the attributes of a span.
        metadata: what a gateway has noted beside it; read first.
        usage: of tokens.
        model: that was asked for, if no column names a group.
    """
    both = (metadata, row)
    found = (usage.get(key) for key in _DETAILS)
    details: Row = next((each for each in found if isinstance(each, Mapping)), {})
    counts = (usage, details, row)
    return CallFacts(
        route=_text((row,), _ROUTES) or (model if isinstance(model, str) and model else None),
        key=_text(both, _KEYS),
        team=_text(both, _TEAMS),
        when=next(filter(None, (seconds(row[name]) for name in _TIMES if name in row)), None),
        conversation=_text((row,), _CONVERSATIONS),
        cached=_number(counts, _CACHED),
        written=_number(counts, _WRITTEN),
        spend=_spend(row),
        from_gateway_cache=str(row.get("cache_hit")).lower() == "true",
    )


def tokens_of(value: Any) -> int | None:
    """Return a number of tokens as a log has it; None if it is none."""
    try:
        count = int(float(value))  # pandas writes whole numbers as 21.0 where some are missing
    except (TypeError, ValueError, OverflowError):
        return None
    return count if 0 <= count < 10**9 else None


def counts_of(given: Any, answered: Any) -> tuple[int | None, int | None]:
    """Return the tokens that a call read and wrote, None where the log does not say.

    A call that read none is not counted by whoever logged it, as of a stream without usage.
    """
    read = tokens_of(given) or None
    written = tokens_of(answered)
    return read, None if read is None and not written else written


def seconds(value: Any) -> float | None:
    """Return a time as seconds since 1970: of ISO 8601 (UTC if it names no zone), a date and
    time, or a number of seconds, milliseconds, microseconds or nanoseconds; None if it is none.
    """
    if isinstance(value, datetime.datetime):
        return _of_date(value)
    if isinstance(value, str) and not value.isdigit():
        # Python 3.10 reads no Z, and fractions of 3 or 6 digits only.
        text = _FRACTION.sub(lambda found: f".{found[1][:6]:0<6}", value.strip(), count=1)
        text = text[:-1] + "+00:00" if text[-1:] in ("Z", "z") else text
        try:
            return _of_date(datetime.datetime.fromisoformat(text))
        except ValueError:
            return None
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    number /= next((unit for least, unit in _SECONDS if number >= least), 1.0)
    return number if 0 < number < 1e11 else None


def _of_date(value: datetime.datetime) -> float | None:
    try:
        zoned = value if value.tzinfo else value.replace(tzinfo=datetime.timezone.utc)
        return zoned.timestamp()
    except (ValueError, OverflowError):
        return None


def _text(rows: tuple[Row, ...], names: tuple[str, ...]) -> str | None:
    found = (row[name] for name in names for row in rows if name in row)
    return next((each for each in found if isinstance(each, str) and each.strip()), None)


def _number(rows: tuple[Row, ...], names: tuple[str, ...]) -> int | None:
    found = (tokens_of(row[name]) for row in rows for name in names if name in row)
    return next((each for each in found if each is not None), None)


def _spend(row: Row) -> float | None:
    for name in _SPENDS:
        value = row.get(name)
        if value is None or isinstance(value, bool):
            continue
        try:
            number = float(value)
        except (TypeError, ValueError):
            continue
        if 0 <= number < 1e9:
            return number
    return None
