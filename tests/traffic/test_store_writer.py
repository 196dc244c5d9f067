"""The writer before a store: nobody waits for it, and what it loses is counted."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from routellm_core.traffic.store.keeping import Keeping
from routellm_core.traffic.store.store import Store
from routellm_core.traffic.store.writer import Writer
from tests.traffic.exchanges import answer, request


def test_the_writer_never_waits_and_counts_what_it_loses(tmp_path: Path, caplog):
    class Stuck(Store):
        release = threading.Event()

        def add(self, *args):
            self.release.wait()
            super().add(*args)

    store = Stuck(str(tmp_path / "traffic.db"))
    writer, keeping = Writer(lambda: store, waiting=10), Keeping()
    took = [writer.put("chat", request(f"r{n}"), keeping) for n in range(600)]
    assert not took[-1]
    (record,) = caplog.records
    assert record.getMessage().startswith("a store does not take records of 'chat' (its database")
    store.release.set()
    assert writer.flush()
    writer.put("chat", request("last"), keeping)
    assert writer.flush()
    (route,) = store.routes()
    assert len(list(store.requests())) + route["lost"] == 601


def test_the_writer_tries_again(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("routellm_core.traffic.store.writer.time.sleep", lambda s: None)

    class Flaky(Store):
        failures = 2

        def add(self, *args):
            if self.failures:
                self.failures -= 1
                raise OSError("disk full")
            super().add(*args)

    store = Flaky(str(tmp_path / "traffic.db"))
    writer = Writer(lambda: store)
    writer.put("chat", request(), Keeping())
    assert writer.flush()
    assert len(list(store.requests())) == 1


def test_a_record_that_cannot_be_kept_costs_no_other(tmp_path: Path):
    around: list[object] = []
    around.append(around)
    store = Store(str(tmp_path / "traffic.db"))
    writer = Writer(lambda: store)
    odd = [{"role": "user", "content": around}]
    writer.put("chat", request("odd", messages=odd), Keeping())
    writer.put("chat", request("deep", messages=odd), Keeping(redact=str.lower))
    writer.put("chat", request("plain"), Keeping())
    assert writer.flush()
    writer.put("chat", ("plain", answer()), Keeping())  # brings the count of the lost along
    assert writer.flush()
    assert {row["request_id"] for row in store.requests()} == {"odd", "plain"}
    assert [row["lost"] for row in store.routes()] == [1]


def test_what_waits_is_written_when_the_process_ends(tmp_path: Path):
    import subprocess
    import sys

    code = (
        "from routellm_core.traffic.store.writer import writer_of\n"
        "from routellm_core.traffic.store.keeping import Keeping\n"
        "from tests.traffic.exchanges import request\n"
        f"writer = writer_of({str(tmp_path / 'traffic.db')!r})\n"
        "for n in range(50): writer.put('chat', request(str(n)), Keeping())\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert [file.name for file in tmp_path.glob("*")] == ["traffic.db"]  # whole, to be copied
    assert len(list(Store(str(tmp_path / "traffic.db")).requests())) == 50


def test_what_is_deleted_leaves_the_file_while_a_proxy_holds_it(tmp_path: Path):
    proxy, path = Store(str(tmp_path / "traffic.db")), tmp_path / "traffic.db"
    proxy.add([request("old", at=0.0, prompt="a secret of old"), ("old", answer())])
    Store(str(path), make=False).forget(1.0)  # `routellm store forget`, beside the proxy
    files = list(tmp_path.glob("traffic.db*"))
    assert {file.name for file in files} == {"traffic.db", "traffic.db-wal", "traffic.db-shm"}
    assert all(b"a secret of old" not in file.read_bytes() for file in files)
    proxy.add([request("new")])
    assert [row["request_id"] for row in proxy.requests()] == ["new"]


def test_a_file_that_was_deleted_is_made_again(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("routellm_core.traffic.store.writer.time.sleep", lambda s: None)
    path = tmp_path / "traffic.db"
    writer = Writer(lambda: Store(str(path)))
    writer.put("chat", request("before"), Keeping())
    assert writer.flush()
    for file in tmp_path.glob("traffic.db*"):
        file.unlink()
    writer.put("chat", request("after"), Keeping())
    assert writer.flush()
    assert [row["request_id"] for row in Store(str(path)).requests()] == ["after"]
    assert writer.store.spent("chat") == 0


def test_records_are_written_while_retention_waits_for_a_report(path: str):
    writer = Writer(lambda: Store(path), keep_days=1)
    store = Store(path)
    store.add([request("old", at=0.0, prompt="SECRET")])
    with store.at_once() as then:
        assert len(list(then.requests())) == 1
        for n in range(3):
            writer.put("chat", request(f"r{n}", at=time.time()), Keeping())
            assert writer.flush(5.0)
        assert [row["request_id"] for row in store.requests()] == ["r0", "r1", "r2"]
    writer.put("chat", request("later", at=time.time()), Keeping())
    assert writer.flush(5.0)
    assert not any(b"SECRET" in file.read_bytes() for file in Path(path).parent.iterdir())
