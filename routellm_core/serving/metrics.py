"""Metrics of a scoring server, on a page of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..optional import require

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class ServerMetrics:
    """Counts requests. A client can give no label a value of its own.

    Args:
        waiting: gives how many prompts and conversations wait.

    Raises:
        MissingExtraError: prometheus-client is not installed.
    """

    def __init__(self, waiting: Callable[[], float]) -> None:
        self._client: Any = require("prometheus_client", "serve", "`routellm serve`")
        self._registry = self._client.CollectorRegistry()
        counter = self._counter
        self._requests = counter("requests", "Requests, by status", ("endpoint", "status"))
        self._prompts = counter("prompts", "Prompts to score", ())
        self._cached = counter("cached_prompts", "Prompts whose scores were kept", ())
        self._errors = counter("errors", "Failures to score", ("kind",))
        self._seconds = self._histogram("seconds", "Time of a request", ("endpoint",), _SECONDS)
        self._batches = self._histogram("batch_size", "What a batch holds", (), _SIZES)
        gauge = self._client.Gauge(
            "routellm_server_waiting",
            "Prompts and conversations that wait",
            registry=self._registry,
        )
        gauge.set_function(waiting)

    def request(self, endpoint: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self._requests.labels(endpoint, str(status)).inc()
        self._seconds.labels(endpoint).observe(seconds)

    def prompts(self, count: int, kept: int) -> None:
        """Count prompts of a request, and how many of their scores were kept of earlier ones."""
        self._prompts.inc(count)
        self._cached.inc(kept)

    def failed(self, kind: str) -> None:
        """Count a failure to score, by the name of the exception's class."""
        self._errors.labels(kind).inc()

    def batch(self, size: int) -> None:
        """Count a batch."""
        self._batches.observe(size)

    def page(self) -> tuple[bytes, str]:
        """Return the page that Prometheus reads, and its content type."""
        return self._client.generate_latest(self._registry), self._client.CONTENT_TYPE_LATEST

    def _counter(self, name: str, help_: str, labels: tuple[str, ...]) -> Any:
        full = f"routellm_server_{name}"
        return self._client.Counter(full, help_, labels, registry=self._registry)

    def _histogram(
        self, name: str, help_: str, labels: tuple[str, ...], buckets: tuple[float, ...]
    ) -> Any:
        full = f"routellm_server_{name}"
        return self._client.Histogram(full, help_, labels, buckets=buckets, registry=self._registry)
