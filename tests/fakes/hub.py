"""A stand-in for the Hugging Face hub, with repositories in memory."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote


class Hub(ThreadingHTTPServer):
    """Keeps what is pushed, by repository.

    Attributes:
        files: contents by path, of each repository.
        private: whether each may be read by its owner alone.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, dict[str, bytes]] = {}
        self.private: dict[str, bool] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def commit(self, name: str) -> str:
        digest = hashlib.sha1()
        for path, data in sorted(self.files[name].items()):
            digest.update(path.encode() + data)
        return digest.hexdigest()


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_POST(self) -> None:
        data = self._body()
        parts = unquote(self.path).strip("/").split("/")
        if self.headers.get("Authorization") is None:
            return self._json(401, {"error": "no token"})
        if parts[:3] == ["api", "repos", "create"]:
            asked = json.loads(data)
            owner = asked.get("organization") or "me"
            name = f"{owner}/{asked['name']}"
            if name in self.server.files:
                return self._json(409, {"error": "exists", "url": f"{self.server.url}/{name}"})
            self.server.files[name] = {}
            wish = asked.get("visibility") or asked.get("private")
            self.server.private[name] = wish in ("private", True)
            return self._json(200, {"url": f"{self.server.url}/{name}", "name": name})
        if parts[1] == "validate-yaml":
            return self._json(200, {"errors": [], "warnings": []})
        name, action = "/".join(parts[2:4]), parts[4]
        if action == "preupload":
            paths = [each["path"] for each in json.loads(data)["files"]]
            files = [{"path": p, "uploadMode": "regular", "shouldIgnore": False} for p in paths]
            return self._json(200, {"files": files})
        for line in data.splitlines():  # a commit
            row = json.loads(line)
            if row["key"] == "file":
                value = row["value"]
                self.server.files[name][value["path"]] = base64.b64decode(value["content"])
        url = f"{self.server.url}/{name}/commit/{self.server.commit(name)}"
        oid = self.server.commit(name)
        return self._json(200, {"success": True, "commitUrl": url, "commitOid": oid})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        data = b""
        while size := int(self.rfile.readline(), 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def do_GET(self) -> None:
        self._get(True)

    def do_HEAD(self) -> None:
        self._get(False)

    def _get(self, with_body: bool) -> None:
        parts = unquote(self.path.split("?")[0]).strip("/").split("/")
        if parts[0] != "api":  # owner/name/resolve/revision/file
            name, path = "/".join(parts[:2]), "/".join(parts[4:])
            data = self.server.files.get(name, {}).get(path)
            if data is None:
                return self._json(404, {"error": "no such file"})
            self.send_response(200)
            self.send_header("ETag", f'"{hashlib.sha1(data).hexdigest()}"')
            self.send_header("X-Repo-Commit", self.server.commit(name))
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if with_body:
                self.wfile.write(data)
            return None
        name = "/".join(parts[2:4])
        if name not in self.server.files:
            return self._json(404, {"error": "no such repository"})
        wanted = parts[5] if len(parts) > 5 else "main"
        sha = self.server.commit(name)
        if wanted not in ("main", sha):
            return self._json(404, {"error": "no such revision"})
        siblings = [
            {"rfilename": path, "path": path, "type": "file", "size": len(data), "oid": sha}
            for path, data in self.server.files[name].items()
        ]
        if len(parts) > 4 and parts[4] == "tree":
            return self._json(200, siblings)
        private = self.server.private[name]
        info = {"id": name, "sha": sha, "private": private, "siblings": siblings}
        return self._json(200, {**info, "_id": "1", "tags": [], "downloads": 0})

    def _json(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[Hub]:
    """Serve on a free port of loopback."""
    hub = Hub()
    thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        thread.join()
        hub.server_close()
