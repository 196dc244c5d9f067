"""A stand-in for a server of a rating model, that speaks OpenAI's API with logprobs."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = list[dict[str, float]]
"""For each position, the probabilities of tokens; the likeliest is the one that is said."""


class LabelServer(ThreadingHTTPServer):
    """Answers /v1/completions and /v1/chat/completions.

    Attributes:
        reply: makes the reply to a text, or to the messages of a chat.
        requests: bodies of what was asked, with their paths.
        keys: the keys that came with them.
        failures: how many requests are answered with status 500 first.
        logprobs: whether they are given.
        at_once: most requests that were being answered at the same time.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reply: Callable[[Any], Reply] = lambda asked: [{"[[3]]": 1.0}]
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.failures = 0
        self.logprobs = True
        self.pause_s = 0.0
        self.busy = self.at_once = 0
        self.counting = threading.Lock()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: LabelServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.counting:
            self.server.requests.append({**body, "path": self.path})
            self.server.keys.append(self.headers["Authorization"])
            self.server.busy += 1
            self.server.at_once = max(self.server.at_once, self.server.busy)
            fails = self.server.failures > 0
            self.server.failures -= fails
        time.sleep(self.server.pause_s)
        with self.server.counting:
            self.server.busy -= 1
        if fails:
            return self._answer(500, {"error": {"message": "no luck"}})
        chat = self.path.endswith("/chat/completions")
        reply = self.server.reply(body["messages"] if chat else body["prompt"])
        positions = [_listed(each, body) for each in reply[: body["max_tokens"]]]
        choice: dict[str, Any] = {"index": 0, "finish_reason": "length", "logprobs": None}
        if chat:
            choice["message"] = {"role": "assistant", "content": ""}
            content = [
                {**_token(*listed[0]), "top_logprobs": [_token(*each) for each in listed]}
                for listed in positions
            ]
            logprobs: dict[str, Any] = {"content": content}
        else:
            choice["text"] = ""
            logprobs = {
                "tokens": [listed[0][0] for listed in positions],
                "token_logprobs": [listed[0][1] for listed in positions],
                "top_logprobs": [dict(listed) for listed in positions],
            }
        if self.server.logprobs:
            choice["logprobs"] = logprobs
        return self._answer(200, {"id": "1", "created": 1, "model": "m", "choices": [choice]})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        pass


def _listed(position: dict[str, float], body: dict[str, Any]) -> list[tuple[str, float]]:
    """Return tokens with logprobs, the likeliest first, as many as were asked for."""
    most = body["top_logprobs"] if "top_logprobs" in body else body["logprobs"]
    ranked = sorted(position.items(), key=lambda item: -item[1])
    return [(token, math.log(chance)) for token, chance in ranked[:most]]


def _token(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": logprob, "bytes": None}


@contextmanager
def serving() -> Iterator[LabelServer]:
    """Serve on a free port of loopback."""
    server = LabelServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
