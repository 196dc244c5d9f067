"""A judge that refuses, in each way in which servers say so."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_FILTERED = {
    "message": "The response was filtered due to the prompt triggering our content policy.",
    "code": "content_filter",
}
WAYS: dict[str, tuple[int, dict[str, Any]]] = {
    "refusal": (
        200,
        {"finish_reason": "stop", "message": {"content": None, "refusal": "I cannot judge that."}},
    ),
    "content_filter": (
        200,
        {"finish_reason": "content_filter", "message": {"content": "One. [[A"}},
    ),
    "HTTP 400": (400, _FILTERED),
}
"""By name, the status and what is in the answer: OpenAI's refusal, a filtered completion, and an
error, as of Azure.
"""


class RefusingJudge:
    """Serves on a free port of loopback; ``asked`` counts the requests.

    Args:
        way: one of ``WAYS``.
    """

    def __init__(self, way: str) -> None:
        judge = self
        self.asked = 0
        status, found = WAYS[way]

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                judge.asked += 1
                body = json.dumps({"error": found} if status != 200 else _completion(found))
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> RefusingJudge:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _completion(choice: dict[str, Any]) -> dict[str, Any]:
    message = {"role": "assistant", **choice["message"]}
    return {
        **{"id": "chatcmpl-1", "object": "chat.completion", "created": 0, "model": "judge"},
        "choices": [{"index": 0, **choice, "message": message}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }
