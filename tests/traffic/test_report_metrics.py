"""`routellm report` of metrics: a proxy's page, and a Prometheus server that scrapes it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.cli.command import called

PAGE = r"""# HELP routellm_decisions_total Requests for a routed alias
# TYPE routellm_decisions_total counter
routellm_decisions_total{cause="score",model="gpt-4o",route="chat",tier="strong"} 30.0
routellm_decisions_total{cause="score",model="gpt-4o-mini",route="chat",tier="weak"} 60.0
routellm_decisions_total{cause="error",model="gpt-4o",route="chat",tier="strong"} 10.0
routellm_decisions_created{cause="score",model="gpt-4o",route="chat",tier="strong"} 1.7640001e+09
routellm_decisions_total{cause="score",model="a \"b\"",route="other, or \\",tier="weak"} 1.0
routellm_score_bucket{le="0.05",route="chat",router="mf"} 0.0
routellm_cost_dollars_total{route="chat"} 1.5
routellm_always_strong_dollars_total{route="chat"} 3.0
litellm_requests_total{model="x"} 7.0
"""


class _Handler(BaseHTTPRequestHandler):
    server: Any

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        status, body = self.server.answer(urlsplit(self.path))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Any]:
    """A server whose ``answer`` says what it replies to a URL: a status and a body."""
    http: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    http.asked, http.url = [], f"http://127.0.0.1:{http.server_port}"
    threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
    yield http
    http.shutdown()
    http.server_close()


def test_the_page_of_a_proxy(server: Any) -> None:
    server.answer = lambda url: (200, PAGE.encode())
    done = called("report", f"{server.url}/metrics", "--json")
    chat, other = json.loads(done.stdout)["routes"]
    assert (chat["source"], chat["route"], chat["requests"]) == ("metrics", "chat", 100)
    assert chat["models"] == {"strong": "gpt-4o", "weak": "gpt-4o-mini"}
    assert chat["causes"] == {"score": 90, "error": 10}
    assert chat["share"]["value"] == pytest.approx(0.4)
    assert 0.3 < chat["share"]["low"] < 0.4 < chat["share"]["high"] < 0.5
    assert chat["first_at"] == 1.7640001e9
    costs = chat["costs"]
    assert (costs["served"], costs["always_strong"]) == (1.5, 3.0)
    assert costs["saving"] == {"value": 0.5, "low": None, "high": None}
    assert chat["quality"]["scores"] == {}
    assert (other["route"], other["models"]["weak"]) == ("other, or \\", 'a "b"')
    shown = called("report", f"{server.url}/metrics/").stdout
    page = " ".join(shown.replace("│", " ").split())
    for said in (
        "50% of always strong; by the proxy's sums",
        "metrics have no answers",
        "`routellm status`",
        "LiteLLM knows no price of these models",
    ):
        assert said in page
    assert {key for _, key in server.asked} == {None}


def test_a_prometheus_server(server: Any) -> None:
    def answer(url: Any) -> tuple[int, bytes]:
        assert url.path == "/prometheus/api/v1/query"
        (query,) = parse_qs(url.query)["query"]
        result = [{"metric": {"route": "chat"}, "value": [0, "1.5" if "_cost_" in query else "3"]}]
        if "decisions" in query:
            assert query.startswith("sum by (route, tier, cause, model) (increase(")
            assert query.endswith("[86400s]))")
            labels = {"route": "chat", "cause": "score"}
            result = [
                {"metric": {**labels, "tier": "strong", "model": "big"}, "value": [0, "39.98"]},
                {"metric": {**labels, "tier": "weak", "model": "small"}, "value": [0, "60.02"]},
            ]
        body = {"status": "success", "data": {"resultType": "vector", "result": result}}
        return 200, json.dumps(body).encode()

    server.answer = answer
    where = f"{server.url}/prometheus/"
    done = called("report", where, "--since", "1d", "--key", "secret", "--json")
    (chat,) = json.loads(done.stdout)["routes"]
    assert (chat["requests"], chat["models"]["strong"]) == (100, "big")
    assert chat["costs"]["saving"]["value"] == pytest.approx(0.5)
    assert chat["last_at"] - chat["first_at"] == pytest.approx(86_400, abs=60)
    assert {key for _, key in server.asked} == {"Bearer secret"}


@pytest.mark.parametrize(
    ("path", "status", "body", "advice"),
    [
        ("/metrics", 200, b"litellm_requests_total 1\n", "has no decisions of routes"),
        ("/metrics", 401, b"", "refuses to go without a key (401)"),
        ("/metrics", 404, b"", "answers 404"),
        ("", 200, b"<html>", "answers something else than a Prometheus server"),
        ("", 200, b'{"data": {"result": []}}', "has no decisions of routes"),
    ],
)
def test_what_has_no_metrics_of_routing_is_one_line(
    server: Any, path: str, status: int, body: bytes, advice: str
) -> None:
    server.answer = lambda url: (status, body)
    done = called("report", server.url + path)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert advice in line
