"""An upstream with the endpoints of OpenAI's API that generate no text, and those that do."""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from routellm_plugins.demo.running import Running
from routellm_plugins.demo.standin.answers import Answer, chat_answer, responses_answer

USAGE = {"prompt_tokens": 1, "total_tokens": 1}
FILE = {
    "id": "file-1",
    "object": "file",
    "bytes": 1,
    "created_at": 1,
    "filename": "a.jsonl",
    "purpose": "batch",
    "status": "processed",
}
BATCH = {
    "id": "batch_1",
    "object": "batch",
    "endpoint": "/v1/chat/completions",
    "input_file_id": "file-1",
    "completion_window": "24h",
    "status": "validating",
    "created_at": 1,
}
ANSWERS: list[tuple[str, dict[str, Any]]] = [
    ("POST /responses/input_tokens", {"object": "response.input_tokens", "input_tokens": 7}),
    ("DELETE /responses/", {"id": "resp_1", "object": "response", "deleted": True}),
    (
        "POST /embeddings",
        {
            "object": "list",
            "data": [{"object": "embedding", "index": 0, "embedding": [0.1]}],
            "usage": USAGE,
        },
    ),
    ("POST /images/", {"created": 1, "data": [{"url": "http://127.0.0.1/image"}]}),
    ("POST /audio/", {"text": "heard"}),
    ("POST /moderations", {"id": "modr_1", "results": []}),
    ("GET /files/", FILE),
    ("DELETE /files/", {"id": "file-1", "object": "file", "deleted": True}),
    ("GET /files", {"object": "list", "data": []}),
    ("POST /files", FILE),
    ("POST /assistants", {"id": "asst_1", "object": "assistant", "created_at": 1, "tools": []}),
    ("POST /vector_stores", {"id": "vs_1", "object": "vector_store", "created_at": 1}),
]
"""What is answered to requests that begin so; the first that fits."""


class OtherEndpoints(Running):
    """Answers, as ``model``, what is asked; keeps the method, path and model of each request, and
    its headers. An answer takes ``delay_s`` seconds.
    """

    def __init__(self, model: str) -> None:
        self.model = model
        self.asked: list[tuple[str, str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.delay_s = 0.0
        self._server: _Server | None = None
        self.url = ""

    def start(self) -> OtherEndpoints:
        """Listen on a free port."""
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def answer(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a request."""
        request = f"{method} {path}"
        if path == "/chat/completions":
            return chat_answer(Answer.to(body, self.model))
        if re.fullmatch("POST /responses(/[^/]+/cancel)?|GET /responses/[^/]+", request):
            return responses_answer(Answer.to({"input": "hello", **body}, self.model))
        if path.startswith("/batches"):
            return self._batch(method, path)
        known = (answer for start, answer in ANSWERS if request.startswith(start))
        return {"model": self.model, **next(known, {})}

    def _batch(self, method: str, path: str) -> dict[str, Any]:
        _, _, batch, *cancel = path.split("/") if path != "/batches" else ("", "", "")
        if not batch and method == "GET":
            return {"object": "list", "data": []}
        status = "cancelling" if cancel else BATCH["status"]
        return {**BATCH, "id": batch or f"batch_{uuid.uuid4().hex}", "status": status}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, upstream: OtherEndpoints) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = upstream


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def _serve(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        body = json.loads(raw) if raw.startswith(b"{") else {}
        path = re.sub("^/v1", "", self.path.split("?")[0])
        self.server.upstream.headers.append({k.lower(): v for k, v in self.headers.items()})
        self.server.upstream.asked.append((self.command, path, body.get("model")))
        time.sleep(self.server.upstream.delay_s)
        data = json.dumps(self.server.upstream.answer(self.command, path, body)).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, *args: object) -> None:
        pass
