"""A store in PostgreSQL, which the workers of a proxy share."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

import pytest

pytest.importorskip("sqlalchemy")
pytest.importorskip("psycopg")

from routellm_core.traffic.store import writer
from routellm_core.traffic.store.keeping import Keeping
from routellm_core.traffic.store.kept import About, Feedback
from routellm_core.traffic.store.store import Store
from tests.cli.command import called
from tests.fakes.postgres_server import PostgresServer, postgres_missing
from tests.traffic.exchanges import answer, request

WORKERS = 8


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    if why := postgres_missing():
        pytest.skip(why)
    with PostgresServer() as running:
        yield running


def test_workers_that_begin_at_once_share_a_new_store(server: PostgresServer):
    url = server.url.replace("postgresql://", "postgresql+psycopg://")
    at_once = Barrier(WORKERS)

    def worker(number: int) -> None:
        at_once.wait()
        store = Store(url)
        store.describe("chat", About({"strong": "big", "weak": "small"}, {}))
        store.charge("chat", 0.25)
        kept = request(f"r{number}", prompt="nul \0 and \ud800")
        store.add(
            [kept, (kept.request_id, answer()), (kept.request_id, answer("strong", shadow=True))]
        )

    with ThreadPoolExecutor(WORKERS) as pool:
        assert list(pool.map(worker, range(WORKERS))) == [None] * WORKERS
    store = Store(url, make=False)
    assert len(list(store.requests())) == WORKERS
    assert store.spent("chat") == 0.25 * WORKERS
    assert store.add_feedback([Feedback("answer-r1", 1.0), Feedback("r99", 1.0)]) == (1, 1)
    told = called("report", url)
    assert told.returncode == 0, told.stderr
    assert f"│ requests │ {WORKERS}," in " ".join(told.stdout.split())
    store.forget(time.time() + 1)
    assert list(store.requests()) == []


def test_what_a_database_refuses_is_not_quoted(
    server: PostgresServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    """Of rows that are lost, the log tells why, and no text: redaction may have kept it."""
    psycopg = pytest.importorskip("psycopg")
    monkeypatch.setattr(writer, "_TRIES", 1)
    url = server.url.replace("postgresql://", "postgresql+psycopg://")
    Store(url)
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("ALTER TABLE requests RENAME COLUMN score TO points")
        try:
            refused = writer.Writer(partial(Store, url))
            refused.put("chat", request("refused", prompt="of heffalumps"), Keeping())
            assert refused.flush()
        finally:
            connection.execute("ALTER TABLE requests RENAME COLUMN points TO score")
    assert "UndefinedColumn" in caplog.text
    assert "heffalumps" not in caplog.text


def test_what_is_read_at_once_is_of_one_moment_and_keeps_nobody_from_writing(
    server: PostgresServer,
):
    store = Store(server.url.replace("postgresql://", "postgresql+psycopg://"))
    store.add([request("before"), ("before", answer())])
    with store.at_once() as then:
        assert len(list(then.requests())) == 1
        store.add([request("meanwhile"), ("meanwhile", answer())])
        assert len(list(store.requests())) == 2
        assert len(list(then.requests())) == len(list(then.answers())) == 1
    assert len(list(store.requests())) == len(list(store.answers())) == 2
    store.forget(time.time() + 1)
