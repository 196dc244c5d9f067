"""Metrics of routing on the page that LiteLLM's own are on."""

from __future__ import annotations

import json
import logging
import sys
import time

import pytest

from routellm_core import Decision
from routellm_plugins.demo.proxy_process import ProxyProcess
from routellm_plugins.litellm.reporting.metrics import Metrics
from tests.cli.command import called
from tests.fakes.routers import EASY, HARD
from tests.litellm.calls import ENDPOINTS, send
from tests.litellm.metrics_page import samples

pytest.importorskip("prometheus_client")


def test_decisions_scores_and_time(proxy: ProxyProcess) -> None:
    for endpoint in ENDPOINTS:
        for text in (EASY, HARD, HARD):
            assert send(proxy, endpoint, "measured", text).status_code == 200
    found = samples(proxy, "measured")
    assert found["routellm_decisions_total", "score", "gpt-4o-mini", "weak"] == 4
    assert found["routellm_decisions_total", "score", "gpt-4o", "strong"] == 8
    assert found["routellm_score_count", "length"] == 12
    assert found["routellm_score_sum", "length"] == pytest.approx(4 * 0.5 + 8 * 1)
    assert found["routellm_decision_seconds_count", "length"] == 12
    assert 0 < found["routellm_decision_seconds_sum", "length"] < 12


def test_costs_beside_those_of_always_strong(proxy: ProxyProcess) -> None:
    """LiteLLM counts a moment after an answer."""
    cost, always_strong = "routellm_cost_dollars_total", "routellm_always_strong_dollars_total"
    before = samples(proxy, "gpt-4o-router")
    added: dict[str, float] = {}

    def ask_and_wait(text: str) -> None:
        assert send(proxy, "chat/completions", "gpt-4o-router", text).status_code == 200
        deadline = time.monotonic() + 30
        start = dict(added)
        while added == start and time.monotonic() < deadline:
            found = samples(proxy, "gpt-4o-router")
            for name in (cost, always_strong):
                if (name,) in found:
                    added[name] = found[(name,)] - before.get((name,), 0)
            time.sleep(0.1)

    ask_and_wait(HARD)
    assert 0 < added[cost] == pytest.approx(added[always_strong])
    of_strong = added[cost]
    ask_and_wait(EASY)
    paid, instead = added[cost] - of_strong, added[always_strong] - of_strong
    # What gpt-4o-mini costs of gpt-4o, for tokens read and written, in LiteLLM's table.
    assert paid / instead == pytest.approx(0.15 / 2.5, rel=0.01)


def test_cache_hits_of_scores_and_of_answers(proxy: ProxyProcess) -> None:
    scores, answers = (
        ("routellm_score_cache_hits_total", "sleeping"),
        ("routellm_response_cache_hits_total",),
    )

    def counted(*name: str) -> float:
        return samples(proxy, "kept").get(name, 0)

    for times, text in enumerate((HARD, HARD, HARD, EASY)):
        assert send(proxy, "chat/completions", "kept", text).status_code == 200
        assert counted(*scores) == min(times, 2)
    assert counted(*answers) == 0
    use = {"cache": {"use-cache": True}}
    for _ in range(3):
        assert send(proxy, "chat/completions", "kept", EASY, **use).status_code == 200
        time.sleep(1)  # LiteLLM keeps an answer, and counts, a moment after it
    assert counted("routellm_decisions_total", "score", "gpt-4o-mini", "weak") == 4
    assert counted(*scores) == 5
    assert counted(*answers) == 2


def test_the_report_reads_the_page(proxy: ProxyProcess) -> None:
    for text in (EASY, HARD):
        assert send(proxy, "chat/completions", "measured", text).status_code == 200
    found = samples(proxy, "measured")
    weak = found["routellm_decisions_total", "score", "gpt-4o-mini", "weak"]
    strong = found["routellm_decisions_total", "score", "gpt-4o", "strong"]
    done = called("report", f"{proxy.url}/metrics", "--route", "measured", "--json")
    (route,) = json.loads(done.stdout)["routes"]
    assert route["requests"] == weak + strong
    assert route["share"]["value"] == pytest.approx(strong / (weak + strong))
    assert route["models"] == {"strong": "gpt-4o", "weak": "gpt-4o-mini"}


def test_errors_by_kind(proxy: ProxyProcess) -> None:
    for _ in range(3):
        assert send(proxy, "chat/completions", "raising", EASY).status_code == 200
    found = samples(proxy, "raising")
    assert found["routellm_decisions_total", "error", "gpt-4o", "strong"] == 3
    assert found["routellm_errors_total", "RuntimeError", "failing"] == 3
    assert ("routellm_score_count", "failing") not in found


def test_retries_and_fallbacks_are_no_decisions(proxy: ProxyProcess) -> None:
    assert send(proxy, "chat/completions", "down-router", HARD).status_code == 200
    found = samples(proxy, "down-router")
    counted = {name: n for name, n in found.items() if name[0] == "routellm_decisions_total"}
    assert counted == {("routellm_decisions_total", "score", "down", "strong"): 1}


def test_names_that_clients_make_up_are_no_labels(proxy: ProxyProcess) -> None:
    counted = ("routellm_score_count", "length")
    before = samples(proxy, "router-*").get(counted, 0)
    for number in range(5):
        model = f"router-length-0.{number}1"
        assert send(proxy, "chat/completions", model, EASY).status_code == 200
    assert samples(proxy, "router-*")[counted] == before + 5
    assert samples(proxy, "router-length-0.11") == {}


def test_without_prometheus_client(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with caplog.at_level(logging.DEBUG):
        Metrics().note("route", "group", Decision("strong", 0.5, 0.4, "mf", "score", 1.0))
    assert not caplog.records


def test_names_that_are_taken(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        Metrics().note("route", "group", Decision("strong", 0.5, 0.4, "mf", "score", 1.0))
    assert "routing has no metrics" in caplog.text
