"""The tables of a store, in SQL that SQLite and PostgreSQL both take."""

from __future__ import annotations

VERSION = 1
"""Of the tables. A store of another version is refused, and never changed."""

_ID = "VARCHAR(255) NOT NULL"
_NUMBER = "DOUBLE PRECISION"

TABLES: tuple[str, ...] = (
    f"CREATE TABLE IF NOT EXISTS routellm_store (version INTEGER PRIMARY KEY, made {_NUMBER})",
    f"""
    CREATE TABLE IF NOT EXISTS requests (
        request_id {_ID} PRIMARY KEY,
        answer_id TEXT,
        at {_NUMBER} NOT NULL,
        route {_ID},
        router VARCHAR(255),
        score {_NUMBER},
        threshold {_NUMBER},
        cause VARCHAR(255),
        decided VARCHAR(16) NOT NULL,
        acted INTEGER NOT NULL,
        turns INTEGER NOT NULL,
        sampled INTEGER NOT NULL,
        propensity {_NUMBER} NOT NULL,
        prompt_sha256 VARCHAR(64),
        prompt TEXT,
        messages TEXT
    )""",
    f"""
    CREATE TABLE IF NOT EXISTS explored (
        request_id {_ID} PRIMARY KEY,
        propensity {_NUMBER} NOT NULL
    )""",
    f"""
    CREATE TABLE IF NOT EXISTS draws (
        request_id {_ID} PRIMARY KEY,
        draw VARCHAR(255) NOT NULL
    )""",
    "CREATE INDEX IF NOT EXISTS requests_at ON requests (at)",
    "CREATE INDEX IF NOT EXISTS requests_answer ON requests (answer_id)",
    f"""
    CREATE TABLE IF NOT EXISTS answers (
        request_id {_ID},
        tier VARCHAR(16) NOT NULL,
        shadow INTEGER NOT NULL,
        model VARCHAR(255),
        text TEXT,
        text_sha256 VARCHAR(64),
        error VARCHAR(255),
        input_tokens INTEGER,
        cached_tokens INTEGER,
        output_tokens INTEGER,
        cost_usd {_NUMBER},
        elapsed_ms {_NUMBER},
        PRIMARY KEY (request_id, tier)
    )""",
    f"""
    CREATE TABLE IF NOT EXISTS feedback (
        request_id {_ID},
        tier VARCHAR(16) NOT NULL,
        name {_ID},
        score {_NUMBER} NOT NULL,
        at {_NUMBER} NOT NULL,
        PRIMARY KEY (request_id, tier, name)
    )""",
    f"""
    CREATE TABLE IF NOT EXISTS routes (
        route {_ID} PRIMARY KEY,
        spent_usd {_NUMBER} NOT NULL,
        lost INTEGER NOT NULL,
        about TEXT NOT NULL
    )""",
)
"""``explored`` holds, of requests of routes with ``explore``, how likely each was to go where it
went, and ``draws`` by which draw, which calls of the same words share. They are tables of their
own, so that packages which do not know them go on writing to the store.
``routes`` tells what shadow calls have cost, how many records were lost before they could be
written, and, in JSON, ``kept.About``."""
