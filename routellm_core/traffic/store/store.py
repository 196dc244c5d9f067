"""The store: a database of what is kept, and every question that is asked of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...errors import ConfigError
from .database import Database, Read, Statement, database_of, file_of
from .kept import About, Answer, Feedback, Request
from .rows import (
    ABOUT,
    ANSWERS,
    CHARGE,
    DRAWS,
    EXPLORED,
    FEEDBACK,
    LOST,
    REQUESTS,
    row_of_answer,
    row_of_request,
    sound,
)
from .schema import TABLES, VERSION

Kept = Request | tuple[str, Answer]
"""A request, or the answer to the request of that id."""


class Store:
    """What is kept of traffic, in one SQLite file or in another database.

    Args:
        where: path of the file, which is made if there is none, or a URL of SQLAlchemy.
        make: whether a store is made where there is none.

    Raises:
        ConfigError: it cannot be opened, or is of another version.
        MissingExtraError: it is a URL, and SQLAlchemy is not installed.
    """

    def __init__(self, where: str, *, make: bool = True) -> None:
        path = file_of(where)
        if not make and path is not None and not Path(path).is_file():
            raise ConfigError(f"there is no store {where}: name the file that `shadow` names")
        self._database: Database = database_of(where)
        self._read: Read = self._database.rows
        try:
            if make:
                self._make()
            versions = [row["version"] for row in self._database.rows(_VERSIONS)]
            self._later = [each for each in _LATER if make or self._database.has(each)]
        except Exception as error:
            raise ConfigError(
                f"the store {self.name} cannot be opened ({_short(error)}): name a file of "
                "`shadow: {store: ...}` in a folder that exists, or a database's URL"
            ) from error
        if versions != [VERSION]:
            raise ConfigError(
                f"the store {self.name} is of version {versions[0] if versions else 'none'}, and "
                f"this is {VERSION}: name another file, or use the package that made it"
            )

    def _make(self) -> None:
        """Make the tables that are not there."""
        statements: list[Statement] = [*((sql, [{}]) for sql in TABLES), _first_version()]
        try:
            self._database.write(statements)
        except Exception:
            # Of several that begin at once, PostgreSQL lets one make them, and the others wait for
            # it and fail.
            if not self._database.has("routellm_store"):
                raise
            self._database.write(statements)

    @property
    def name(self) -> str:
        """Its path or URL, without a password."""
        return self._database.name

    def add(self, kept: Sequence[Kept], lost: Mapping[str, int] | None = None) -> None:
        """Write requests and answers in one transaction; a later one of the same id stays.

        Args:
            kept: what to write.
            lost: by route, how many further ones could not be.
        """
        requests = {
            each.request_id: row_of_request(each) for each in kept if isinstance(each, Request)
        }
        answers = {
            (each[0], each[1].tier): row_of_answer(*each)
            for each in kept
            if not isinstance(each, Request)
        }
        explored = [row for row in requests.values() if row["explore"] is not None]
        statements: list[Statement] = [
            (REQUESTS, [*requests.values()]),
            (EXPLORED, explored),
            (DRAWS, [row for row in explored if row["draw"] is not None]),
            (ANSWERS, [*answers.values()]),
            (LOST, [{"route": route, "n": n} for route, n in (lost or {}).items()]),
        ]
        self._database.write([(sql, rows) for sql, rows in statements if rows])

    @contextmanager
    def at_once(self) -> Iterator[Store]:
        """Yield the store as it is at one moment, for questions whose answers are to fit together.
        Nobody is kept from writing meanwhile.
        """
        found = copy(self)
        with self._database.snapshot() as found._read:
            yield found

    def describe(self, route: str, about: About) -> None:
        """Write what is known of a route."""
        values = {"route": sound(route), "about": json.dumps(asdict(about))}
        self._database.write([(ABOUT, [values])])

    def charge(self, route: str, usd: float) -> None:
        """Add to what the shadow calls of a route have cost."""
        self._database.write([(CHARGE, [{"route": sound(route), "usd": usd}])])

    def spent(self, route: str) -> float:
        """Return what the shadow calls of a route have cost, in dollars, in all processes."""
        sql = "SELECT spent_usd FROM routes WHERE route = :route"
        row = self._database.first(sql, route=sound(route))
        return 0.0 if row is None else float(row["spent_usd"])

    def routes(self) -> Iterator[dict[str, Any]]:
        """Yield ``route``, ``spent_usd``, ``lost`` and ``about`` (a mapping) of each route."""
        for row in self._read("SELECT * FROM routes ORDER BY route"):
            yield {**row, "about": json.loads(row["about"])}

    def requests(self) -> Iterator[dict[str, Any]]:
        """Yield the requests, oldest first, without texts."""
        yield from self._read(
            "SELECT request_id, at, route, router, score, threshold, cause, decided, acted, turns, "
            "sampled, propensity FROM requests ORDER BY at"
        )

    def answers(self) -> Iterator[dict[str, Any]]:
        """Yield the answers, without texts."""
        yield from self._read(
            "SELECT request_id, tier, shadow, model, error, input_tokens, cached_tokens, "
            "output_tokens, cost_usd, elapsed_ms FROM answers"
        )

    def feedback(self) -> Iterator[dict[str, Any]]:
        """Yield the mean score of each answer that was judged: ``request_id``, ``tier``,
        ``score``.
        """
        yield from self._read(
            "SELECT request_id, tier, AVG(score) AS score FROM feedback GROUP BY request_id, tier"
        )

    def sampled(self) -> Iterator[dict[str, Any]]:
        """Yield the sampled requests, oldest first, with texts and an answer each: a row for each
        answer, with the request's columns and ``tier``, ``model``, ``text``, ``error``,
        ``cost_usd`` and ``shadow`` of the answer.
        """
        yield from self._read(
            "SELECT r.request_id, r.at, r.route, r.score, r.decided, r.propensity, r.prompt, "
            "r.messages, a.tier, a.model, a.text, a.error, a.cost_usd, a.shadow FROM requests r "
            "JOIN answers a ON a.request_id = r.request_id WHERE r.sampled = 1 "
            "ORDER BY r.at, r.request_id, a.tier"
        )

    def served(self, since: float = 0.0) -> Iterator[dict[str, Any]]:
        """Yield each request, oldest first, with the answer that the user got, without texts.

        Args:
            since: only requests that came then or later, in seconds since 1970; so below.
        """
        yield from self._read(
            "SELECT r.route, r.at, r.router, r.score, r.threshold, r.cause, r.decided, r.acted, "
            "r.sampled, a.tier, a.input_tokens, a.cached_tokens, a.output_tokens, a.cost_usd "
            "FROM requests r LEFT JOIN answers a ON a.request_id = r.request_id AND a.shadow = 0 "
            "WHERE r.at >= :since ORDER BY r.at",
            since=since,
        )

    def shadow_outcomes(self, since: float = 0.0) -> Iterator[dict[str, Any]]:
        """Yield how many shadow calls ended how: ``route``, ``error`` (None: answered), ``n``."""
        yield from self._read(
            "SELECT r.route, a.error, COUNT(*) AS n FROM answers a "
            "JOIN requests r ON r.request_id = a.request_id WHERE a.shadow = 1 "
            "AND r.at >= :since GROUP BY r.route, a.error ORDER BY n DESC",
            since=since,
        )

    def lengths(self, since: float = 0.0) -> Iterator[dict[str, Any]]:
        """Yield, by ``route``, of how many requests (``n``) both answers' lengths are known, and
        the tokens in those of each model, ``strong`` and ``weak``.
        """
        yield from self._read(
            "SELECT r.route, COUNT(*) AS n, SUM(s.output_tokens) AS strong, "
            "SUM(w.output_tokens) AS weak FROM requests r "
            "JOIN answers s ON s.request_id = r.request_id AND s.tier = 'strong' "
            "JOIN answers w ON w.request_id = r.request_id AND w.tier = 'weak' "
            "WHERE s.output_tokens IS NOT NULL AND w.output_tokens IS NOT NULL "
            "AND r.at >= :since GROUP BY r.route",
            since=since,
        )

    def judged(self, since: float = 0.0) -> Iterator[dict[str, Any]]:
        """Yield each answer that was judged, with the mean of its scores."""
        yield from self._read(
            "SELECT r.route, r.request_id, r.decided, r.propensity, r.turns, r.prompt_sha256, "
            "f.tier, a.shadow, AVG(f.score) AS score FROM feedback f "
            "JOIN requests r ON r.request_id = f.request_id "
            "JOIN answers a ON a.request_id = f.request_id AND a.tier = f.tier "
            "WHERE r.at >= :since GROUP BY r.route, r.request_id, r.decided, r.propensity, "
            "r.turns, r.prompt_sha256, f.tier, a.shadow",
            since=since,
        )

    def repeated(self, since: float = 0.0) -> Iterator[dict[str, Any]]:
        """Yield the prompts that several sampled requests ask and both models answered: ``route``,
        ``prompt_sha256``, ``decided``, and ``weight``, the sum of one over each one's propensity.
        Prompts within conversations, which mean something else in each, are none.
        """
        yield from self._read(
            "SELECT r.route, r.prompt_sha256, r.decided, SUM(1.0 / r.propensity) AS weight "
            "FROM requests r "
            "JOIN answers s ON s.request_id = r.request_id AND s.tier = 'strong' "
            "JOIN answers w ON w.request_id = r.request_id AND w.tier = 'weak' "
            "WHERE r.sampled = 1 AND r.turns = 1 AND r.propensity > 0 AND r.prompt_sha256 "
            "IS NOT NULL AND s.error IS NULL AND w.error IS NULL AND r.at >= :since "
            "GROUP BY r.route, r.prompt_sha256, r.decided HAVING COUNT(*) > 1",
            since=since,
        )

    def explored(self, since: float = 0.0) -> Iterator[dict[str, Any]]:
        """Yield the requests that went where ``explore`` drew them, oldest first, with the answer
        that the user got: ``propensity`` is how likely it was to go there, ``draw`` names the draw
        (None: not known), ``judged`` is the mean of the answer's scores, and ``strong`` and
        ``weak`` those of each model's (None: not judged).
        """
        if "explored" not in self._later:
            return
        knows_draws = "draws" in self._later
        drawn = "d.draw" if knows_draws else "NULL AS draw"
        draws = "LEFT JOIN draws d ON d.request_id = r.request_id " if knows_draws else ""
        mean = "(SELECT AVG(f.score) FROM feedback f WHERE f.request_id = r.request_id AND f.tier"
        yield from self._read(
            "SELECT r.request_id, r.answer_id, r.at, r.route, r.score, r.threshold, r.cause, "
            f"r.decided, e.propensity, {drawn}, r.prompt, a.input_tokens, a.output_tokens, "
            f"{mean} = a.tier) AS judged, "
            f"{mean} = 'strong') AS strong, {mean} = 'weak') AS weak "
            f"FROM explored e JOIN requests r ON r.request_id = e.request_id {draws}"
            "JOIN answers a ON a.request_id = r.request_id AND a.shadow = 0 "
            "AND a.tier = r.decided WHERE r.at >= :since ORDER BY r.at",
            since=since,
        )

    def add_feedback(self, given: Iterable[Feedback]) -> tuple[int, int]:
        """Keep how good answers were.

        Returns:
            How many scores were kept, and how many name a request, or an answer, that is not in
            the store.
        """
        found, unknown = [], 0
        for each in given:
            row = self._judged(each)
            if row is None:
                unknown += 1
            else:
                found.append(row)
        latest = {(row["request_id"], row["tier"], row["name"]): row for row in found}
        if latest:
            self._database.write([(FEEDBACK, [*latest.values()])])
        return len(found), unknown

    def forget(self, before: float) -> None:
        """Delete the requests that came before a time, with their answers and feedback, and
        overwrite them in the file.
        """
        self.delete(before)
        self.overwrite()

    def delete(self, before: float) -> None:
        """Delete them as ``forget``; until ``overwrite``, their texts may stay in the file."""
        old = "IN (SELECT request_id FROM requests WHERE at < :before)"
        tables = ("answers", "feedback", *self._later)
        self._database.write(
            [
                *(
                    (f"DELETE FROM {each} WHERE request_id {old}", [{"before": before}])
                    for each in tables
                ),
                ("DELETE FROM requests WHERE at < :before", [{"before": before}]),
            ]
        )

    def overwrite(self, wait_s: float = 30.0) -> bool:
        """Let nothing that was deleted stay in the file; return whether nobody who reads it was in
        the way for so many seconds.
        """
        return self._database.overwrite(wait_s)

    def _judged(self, given: Feedback) -> dict[str, Any] | None:
        """Return the row of a score; None if there is no such answer."""
        row = self._database.first(
            "SELECT a.request_id, a.tier FROM answers a JOIN requests r "
            "ON r.request_id = a.request_id WHERE (r.request_id = :id OR r.answer_id = :id) "
            "AND (a.tier = :tier OR (:tier = '' AND a.shadow = 0))",
            id=sound(given.request_id, None),
            tier=given.tier or "",
        )
        if row is None:
            return None
        return {**row, "name": sound(given.name), "score": given.score, "at": time.time()}


_LATER = ("explored", "draws")
"""Tables that a store may lack that an earlier package made."""

_VERSIONS = "SELECT version FROM routellm_store"


def _first_version() -> Statement:
    sql = (
        "INSERT INTO routellm_store SELECT :version, :made "
        "WHERE NOT EXISTS (SELECT 1 FROM routellm_store) ON CONFLICT DO NOTHING"
    )
    return sql, [{"version": VERSION, "made": time.time()}]


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:200]
