"""What integrations get that LiteLLM runs on a thread, such as Langfuse's and S3's."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from routellm_plugins.demo.proxy_process import ProxyProcess
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import HARD
from tests.litellm.calls import post
from tests.litellm.configs import HANDLER, alias, group


class Bucket(ThreadingHTTPServer):
    """Keeps the objects that are put into it, as S3 does."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.kept: list[dict[str, Any]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Bucket

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        # The client sends it in chunks with a checksum.
        self.server.kept.append(json.loads(body[body.index(b"{") : body.rindex(b"}") + 1]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    with Bucket() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def proxy(
    strong: Upstream,
    weak: Upstream,
    bucket: Bucket,
    proxy_with: Callable[..., ProxyProcess],
) -> Iterator[ProxyProcess]:
    access = {
        "s3_bucket_name": "logs",
        "s3_region_name": "us-east-1",
        "s3_endpoint_url": f"http://127.0.0.1:{bucket.server_address[1]}",
        "s3_aws_access_key_id": "unused",
        "s3_aws_secret_access_key": "unused",
    }
    config = {
        "model_list": [
            group("gpt-4o", strong),
            group("gpt-4o-mini", weak),
            alias("gpt-4o-router", router="length", threshold=0.6),
        ],
        "litellm_settings": {
            "callbacks": [HANDLER],
            "success_callback": ["s3"],
            "s3_callback_params": access,
        },
    }
    with proxy_with(config) as process:
        yield process


@pytest.mark.parametrize("stream", [False, True])
def test_the_alias_is_logged(proxy: ProxyProcess, bucket: Bucket, stream: bool) -> None:
    words = f"{HARD} stream {stream}"
    messages = [{"role": "user", "content": words}]
    body = {"model": "gpt-4o-router", "messages": messages, "stream": stream}
    assert post(proxy, "v1/chat/completions", body).status_code == 200
    deadline = time.monotonic() + 30
    while not (found := [each for each in bucket.kept if words in json.dumps(each)]):
        assert time.monotonic() < deadline, bucket.kept
        time.sleep(0.05)
    assert found[0]["model_group"] == "gpt-4o-router"
    assert found[0]["metadata"]["spend_logs_metadata"]["routellm"]["tier"] == "strong"
