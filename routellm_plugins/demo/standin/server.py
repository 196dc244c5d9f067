"""A stand-in for an OpenAI-compatible model on loopback: no key, no network."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ..running import Running
from .answers import (
    Answer,
    chat_answer,
    chat_events,
    responses_answer,
    responses_events,
    text_answer,
    text_events,
)


class StandIn(Running):
    """An upstream that answers every prompt and says which model it stands for.

    Serves ``/v1/chat/completions`` and ``/v1/responses``, plain and streaming, with tools and
    list content, ``/v1/completions``, and ``/v1/models``. Token usage is in proportion to the
    length of the texts.

    Args:
        model: the model it stands for; None stands for whichever a request names.
        port: where to listen; 0 takes a free one.
        delay_s: how long an answer takes.

    Attributes:
        fault_headers: headers of the answers that fail.
    """

    def __init__(self, model: str | None = None, *, port: int = 0, delay_s: float = 0.0) -> None:
        self.model = model
        self.delay_s = delay_s
        self.fault_headers: dict[str, str] = {}
        self.requests: list[dict[str, Any]] = []
        self._port = port
        self._server: _Server | None = None

    def start(self) -> StandIn:
        """Listen on a thread of its own, after ``stop`` on the same port; returns itself."""
        if self._server is None:
            self._server = _Server(("127.0.0.1", self._port), self)
            self._port = int(self._server.server_address[1])
            threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop listening, so that callers find the connection refused."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    @property
    def url(self) -> str:
        """The base URL clients are given, ending in ``/v1``."""
        return f"http://127.0.0.1:{self._port}/v1"

    def fault(self, body: dict[str, Any]) -> int | None:
        """Return the HTTP status with which this request fails; None answers it."""
        return None

    def answer(self, body: dict[str, Any]) -> Answer:
        """Return the answer to this request."""
        return Answer.to(body, self.model or str(body.get("model")))


class _Server(ThreadingHTTPServer):
    # The default backlog of 5 refuses connections as soon as a client has 50 requests in flight.
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], stand_in: StandIn) -> None:
        super().__init__(address, _Handler)
        self.stand_in = stand_in

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client may leave a stream half way.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Answers one request per connection (HTTP/1.0), so that stopping leaves none open."""

    server: _Server

    def do_GET(self) -> None:
        if self.path.split("?")[0] != "/v1/models":
            self._error(404, f"no such path: {self.path}")
            return
        model = {
            "id": self.server.stand_in.model or "any",
            "object": "model",
            "owned_by": "stand-in",
        }
        self._json(200, {"object": "list", "data": [model]})

    def do_POST(self) -> None:
        stand_in = self.server.stand_in
        body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))))
        path = self.path.split("?")[0]
        stand_in.requests.append({**body, "path": path})
        if stand_in.delay_s:
            time.sleep(stand_in.delay_s)
        if (status := stand_in.fault(body)) is not None:
            message = f"the stand-in for {body.get('model')} fails on purpose"
            self._error(status, message, stand_in.fault_headers)
            return
        answer = stand_in.answer(body)
        if path == "/v1/chat/completions":
            whole, events = chat_answer(answer), chat_events(answer, body)
        elif path == "/v1/completions":
            whole, events = text_answer(answer), text_events(answer)
        elif path == "/v1/responses":
            whole, events = responses_answer(answer), responses_events(answer)
        else:
            self._error(404, f"no such path: {path}")
            return
        if body.get("stream"):
            self._stream(events)
        else:
            self._json(200, whole)

    def _error(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        error = {"message": message, "type": "stand_in", "code": status}
        self._json(status, {"error": error}, headers)

    def _json(
        self, status: int, payload: dict[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        data = json.dumps(payload).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, events: Iterator[dict[str, Any]]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for event in events:
            name = f"event: {event['type']}\n" if "type" in event else ""
            self.wfile.write(f"{name}data: {json.dumps(event)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *args: object) -> None:
        pass
