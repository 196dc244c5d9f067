"""A scoring server that fails as a test says, and counts what it is asked."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from routellm_plugins.demo.running import Running

SOUND = {
    "router": "stub",
    "fingerprint": "stub:1",
    "score_quantiles": [0.0, 0.5, 1.0],
    "max_prompts": 4,
    "max_bytes": 1000,
}


class ScoringStub(Running):
    """Scores a prompt by its length in hundreds of characters, up to 1.

    Attributes:
        description: what it answers about its router.
        status: of all answers to prompts.
        answer: what it answers to prompts, if that is set.
        location: where it redirects to, if that is set.
        requests: the bodies of all requests for scores.
        authorizations: the headers of that name.
    """

    def __init__(self, port: int = 0) -> None:
        self.description: Any = dict(SOUND)
        self.status = 200
        self.answer: Any = None
        self.location: str | None = None
        self.requests: list[dict[str, Any]] = []
        self.authorizations: list[str | None] = []
        self._hanging = threading.Event()
        self._release = threading.Event()
        self._server = _Server(("127.0.0.1", port), self)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def hang(self) -> None:
        """Answer nothing from now on."""
        self._release.clear()
        self._hanging.set()

    def recover(self) -> None:
        self._hanging.clear()
        self._release.set()

    def wait(self) -> None:
        if self._hanging.is_set():
            self._release.wait(60)

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self.recover()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], stub: ScoringStub) -> None:
        super().__init__(address, _Handler)
        self.stub = stub

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that has left


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        stub = self.server.stub
        stub.authorizations.append(self.headers.get("authorization"))
        stub.wait()
        self._json(200, stub.description)

    def do_POST(self) -> None:
        stub = self.server.stub
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        stub.authorizations.append(self.headers.get("authorization"))
        stub.requests.append(body)
        stub.wait()
        if stub.location:
            self._json(307, {}, location=stub.location)
            return
        scores = [min(1.0, len(prompt) / 100) for prompt in body["prompts"]]
        answer = {"scores": scores, "fingerprint": stub.description.get("fingerprint")}
        self._json(stub.status, answer if stub.answer is None else stub.answer)

    def _json(self, status: int, value: object, **headers: str) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        for name, header in headers.items():
            self.send_header(name, header)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        pass
