"""A store keeps what it is given, in a file or in a database, and no more than is allowed."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from routellm_core import ConfigError, Decision
from routellm_core.data.digests import sha256_of
from routellm_core.traffic.store.keeping import Keeping, redact_of
from routellm_core.traffic.store.kept import About, Feedback, Request
from routellm_core.traffic.store.store import Store
from routellm_core.traffic.store.writer import writer_of
from tests.traffic.exchanges import DAY_S, answer, request


@pytest.fixture(params=["file", "url"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "url":
        pytest.importorskip("sqlalchemy")
        # With a server at hand: postgresql+psycopg://USER@HOST/NAME of a database for tests.
        opened = Store(os.environ.get("ROUTELLM_TEST_STORE", f"sqlite:///{tmp_path}/url.db"))
        tables = ("requests", "answers", "feedback", "explored", "draws", "routes")
        opened._database.write([(f"DELETE FROM {name}", [{}]) for name in tables])
        return opened
    return Store(str(tmp_path / "traffic.db"))


def test_requests_and_answers_are_kept(store: Store):
    store.add([request(), ("r1", answer()), ("r1", answer("strong", shadow=True))])
    (kept,) = store.requests()
    assert (kept["request_id"], kept["route"], kept["score"]) == ("r1", "chat", 0.4)
    assert (kept["decided"], kept["acted"], kept["sampled"]) == ("weak", 1, 1)
    both = {row["tier"]: row for row in store.sampled()}
    assert both["weak"]["text"] == both["strong"]["text"] == "Because."
    assert both["weak"]["prompt"] == "Why is the sky blue?"
    assert [row["shadow"] for row in both.values()] == [1, 0]


@pytest.mark.parametrize("begun", ["", "sqlite:///", "sqlite+pysqlite:///"])
def test_what_is_read_at_once_is_of_one_moment_and_keeps_nobody_from_writing(path: str, begun: str):
    store = Store(begun + path)
    store.add([request("r1"), ("r1", answer())])
    with store.at_once() as then:
        assert len(list(then.requests())) == 1
        store.add([request("r2"), ("r2", answer())])
        assert len(list(store.requests())) == 2
        assert len(list(then.requests())) == len(list(then.answers())) == 1
    with store.at_once() as now:
        assert len(list(now.requests())) == len(list(now.answers())) == 2


def test_a_url_of_a_file_is_the_file(path: str, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ConfigError, match="there is no store"):
        Store(f"sqlite:///{path}", make=False)
    assert not Path(path).exists()
    monkeypatch.chdir(Path(path).parent)
    assert writer_of("sqlite:///traffic.db") is writer_of(path)
    Store("sqlite:///traffic.db").add([request()])
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert len(list(Store(path).requests())) == 1


def test_who_deletes_while_another_reads_keeps_nobody_from_writing(path: str):
    """As retention in a proxy during a long report."""
    store, worker = Store(path), Store(path)
    store.add([request("old", at=0.0, prompt="SECRET"), ("old", answer())])
    with ThreadPoolExecutor(1) as pool:
        with store.at_once() as then:
            assert len(list(then.requests())) == 1
            deleting = pool.submit(store.forget, 1.0)
            longest = 0.0
            for n in range(20):
                began = time.monotonic()
                worker.add([request(f"r{n}")])
                longest = max(longest, time.monotonic() - began)
                time.sleep(0.05)
            assert not deleting.done()
            assert longest < 0.9
        deleting.result(10)
    assert len(list(store.requests())) == 20
    for file in Path(path).parent.iterdir():
        assert b"SECRET" not in file.read_bytes()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///a.db?mode=ro"])
def test_a_store_in_memory_is_no_store(url: str):
    pytest.importorskip("sqlalchemy")
    with pytest.raises(ConfigError, match="write the path of its file"):
        Store(url)


def test_a_record_that_comes_twice_is_kept_once(store: Store):
    for _ in range(2):
        store.add([request(), ("r1", answer())])
    assert len(list(store.requests())) == len(list(store.answers())) == 1


def test_a_record_is_one_statement_and_what_comes_together_one_transaction(tmp_path: Path):
    store, statements = Store(str(tmp_path / "traffic.db")), []
    store._database._connection().set_trace_callback(statements.append)
    for text in ("earlier", "later"):
        store.add([request(), ("r1", answer(text=text)), ("r1", answer("strong", shadow=True))])
    once = ["BEGIN", "INSERT", "INSERT", "INSERT", "COMMIT"]
    assert [each.split()[0] for each in statements] == once * 2
    assert [row["text"] for row in store.sampled()] == ["Because.", "later"]


@pytest.mark.parametrize("text", ["\ud800 lone", "nul \0 byte", "", "ünïcödé 漢字 🙂"])
def test_any_text_is_kept(store: Store, text: str):
    store.add([request(prompt=text, route=text or "x"), ("r1", answer(text=text))])
    (row,) = store.sampled()
    assert row["text"] == text.replace("\ud800", "?").replace("\0", "\ufffd")


def test_what_calls_cost_is_counted_by_all_who_share_the_store(tmp_path: Path):
    first, second = (Store(str(tmp_path / "traffic.db")) for _ in range(2))
    threads = [
        threading.Thread(target=each.charge, args=("chat", 0.01))
        for each in (first, second)
        for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert first.spent("chat") == pytest.approx(0.2)
    assert first.spent("another") == 0


def test_what_is_known_of_a_route_is_kept_beside_what_it_spent(store: Store):
    store.charge("chat", 1.5)
    store.describe("chat", About({"strong": "gpt-4o"}, target_share=0.3))
    store.add([], {"chat": 2})
    (route,) = store.routes()
    assert (route["spent_usd"], route["lost"]) == (1.5, 2)
    assert route["about"]["models"] == {"strong": "gpt-4o"}


def test_feedback_is_joined_by_either_id(store: Store):
    store.add([request(), ("r1", answer()), ("r1", answer("strong", shadow=True))])
    given = [
        Feedback("r1", 0.0),
        Feedback("answer-r1", 1.0),
        Feedback("r1", 0.5, "strong", "judge"),
        Feedback("nobody", 1.0),
    ]
    assert store.add_feedback(given) == (3, 1)
    scores = {row["tier"]: row["score"] for row in store.feedback()}
    assert scores == {"weak": 1.0, "strong": 0.5}  # the later score of the same name stays


def test_retention_deletes_texts_answers_and_feedback(store: Store, tmp_path: Path):
    old, new = time.time() - 31 * DAY_S, time.time()
    store.add([request("old", at=old, prompt="a secret of old"), ("old", answer())])
    store.add([request("new", at=new), ("new", answer())])
    store.add_feedback([Feedback("old", 1.0), Feedback("new", 1.0)])
    store.forget(time.time() - 30 * DAY_S)
    assert [row["request_id"] for row in store.requests()] == ["new"]
    assert [row["request_id"] for row in store.answers()] == ["new"]
    assert [row["request_id"] for row in store.feedback()] == ["new"]


def test_what_is_deleted_is_no_longer_in_the_file(tmp_path: Path):
    store = Store(str(tmp_path / "traffic.db"))
    store.add([request("old", at=0.0, prompt="a secret of old"), ("old", answer())])
    store.forget(1.0)
    with sqlite3.connect(tmp_path / "traffic.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    files = list(tmp_path.glob("traffic.db*"))
    assert files
    assert all(b"a secret of old" not in file.read_bytes() for file in files)


def test_only_the_owner_may_read_the_file(tmp_path: Path):
    Store(str(tmp_path / "traffic.db"))
    assert stat.S_IMODE((tmp_path / "traffic.db").stat().st_mode) == 0o600


def test_a_store_that_cannot_be_opened_says_what_to_do(tmp_path: Path):
    with pytest.raises(ConfigError, match="folder that exists"):
        Store(str(tmp_path / "no" / "such" / "traffic.db"))
    (tmp_path / "notes.txt").write_text("no database at all, but some text " * 50)
    with pytest.raises(ConfigError, match=r"notes\.txt cannot be opened"):
        Store(str(tmp_path / "notes.txt"))
    with pytest.raises(ConfigError, match="there is no store"):
        Store(str(tmp_path / "absent.db"), make=False)
    assert not (tmp_path / "absent.db").exists()


def test_several_open_a_new_file_at_once(tmp_path: Path):
    # SQLite fails for one in some hundred of them, if nothing is tried again.
    with ThreadPoolExecutor(8) as threads:
        for number in range(100):
            path, ready = str(tmp_path / f"{number}.db"), threading.Barrier(8)

            def opened(path: str = path, ready: threading.Barrier = ready) -> int:
                ready.wait()
                return len(list(Store(path).answers()))

            found = [threads.submit(opened) for _ in range(8)]
            assert [each.result() for each in found] == [0] * 8


def test_a_store_of_another_version_is_refused(tmp_path: Path):
    path = tmp_path / "traffic.db"
    Store(str(path))
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE routellm_store SET version = 99")
    connection.close()
    with pytest.raises(ConfigError, match="is of version 99"):
        Store(str(path))


def test_the_password_of_a_url_is_not_shown(tmp_path: Path):
    pytest.importorskip("sqlalchemy")
    with pytest.raises(ConfigError) as caught:
        Store("postgresql+psycopg://me:hunter2@127.0.0.1:1/none")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ConfigError, match="not the URL of a database"):
        Store("nonsense://")


def test_without_texts_only_digests_are_kept():
    keeping = Keeping(texts=False)
    kept, said = keeping.request(request()), keeping.answer(answer())
    assert kept.prompt is said.text is None
    assert kept.messages == ()
    assert kept.prompt_sha256 == sha256_of("Why is the sky blue?")
    assert said.text_sha256 == sha256_of("Because.")


def test_redaction_reaches_every_text():
    parts = [{"type": "text", "text": "call 555"}, {"type": "image_url", "image_url": "data:555"}]
    messages = [{"role": "system", "content": "you are 555"}, {"role": "user", "content": parts}]
    keeping = Keeping(redact=lambda text: text.replace("555", "***"))
    kept = keeping.request(request(prompt="call 555", messages=messages))
    assert "555" not in repr((kept, keeping.answer(answer(text="555 indeed"))))
    assert kept.messages[1]["content"][0] == {"type": "text", "text": "call ***"}
    assert kept.prompt_sha256 == sha256_of("call ***")


def quotes(text: str) -> str:
    """Fail as `int(text)` and many a parser do."""
    raise ValueError(f"invalid literal: {text!r}")


REDACTS = {"raises": lambda text: 1 / 0, "None": lambda text: None, "quotes": quotes}


@pytest.mark.parametrize("redact", REDACTS.values(), ids=REDACTS)
def test_a_text_that_redaction_fails_on_is_not_kept(redact, caplog):
    keeping = Keeping(redact=redact, route="chat")
    kept = keeping.request(request())
    assert kept.prompt is kept.prompt_sha256 is None
    assert "sky" not in repr(kept.messages)
    keeping.answer(answer())
    (record,) = caplog.records
    assert record.getMessage().startswith("shadow mode of 'chat': 'redact' failed (")
    assert "sky" not in caplog.text
    assert "Because" not in caplog.text


@pytest.mark.parametrize("path", ["nothing", "no.such.module", "os.path", "os.sep"])
def test_a_redaction_that_is_no_function_is_a_mistake(path: str):
    with pytest.raises(ConfigError, match=r"module\.function"):
        redact_of(path)


def explored(request_id: str, draw: str | None = "d1", **changes: object) -> Request:
    drawn = Decision("weak", 0.6, 0.5, "length", "exploration", 0.1, propensity=0.1, draw=draw)
    return request(request_id, decision=drawn, **changes)


def test_how_likely_a_drawn_call_was_is_kept(store: Store):
    store.add([explored("r1"), ("r1", answer()), ("r1", answer("strong", shadow=True))])
    store.add([request("r2"), ("r2", answer())])  # of a route without `explore`
    store.add([explored("r3", acted=False), ("r3", answer())])  # observed, and not sent there
    store.add_feedback([Feedback("r1", 1.0), Feedback("r1", 0.0, name="another")])
    (row,) = store.explored()
    assert (row["decided"], row["cause"], row["propensity"]) == ("weak", "exploration", 0.1)
    assert row["draw"] == "d1"
    assert (row["judged"], row["weak"], row["strong"]) == (0.5, 0.5, None)
    store.forget(time.time() + 1)
    assert list(store.explored()) == []


def test_a_store_of_an_older_package_keeps_working(tmp_path: Path):
    path = tmp_path / "traffic.db"
    Store(str(path)).add([request("before"), ("before", answer())])
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE explored")
        connection.execute("DROP TABLE draws")
    connection.close()
    reader = Store(str(path), make=False)  # beside a proxy of the older package
    assert list(reader.explored()) == []
    reader.forget(0.0)
    store = Store(str(path))
    store.add([explored("after"), ("after", answer())])
    assert [row["propensity"] for row in store.explored()] == [0.1]
    assert len(list(store.requests())) == 2


def test_a_store_that_names_no_draws_is_read_and_named_from_then_on(tmp_path: Path):
    path = tmp_path / "traffic.db"
    Store(str(path)).add([explored("before", None), ("before", answer())])
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE draws")
    connection.close()
    (row,) = Store(str(path), make=False).explored()
    assert (row["propensity"], row["draw"]) == (0.1, None)
    store = Store(str(path))
    store.add([explored("after"), ("after", answer())])
    assert {row["request_id"]: row["draw"] for row in store.explored()} == {
        "before": None,
        "after": "d1",
    }
    store.forget(time.time() + 1)
    assert list(store._database.rows("SELECT * FROM draws")) == []
