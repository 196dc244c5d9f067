"""What a proxy's page of metrics says of a route."""

from __future__ import annotations

import httpx

from routellm_plugins.demo.proxy_process import ProxyProcess


def samples(proxy: ProxyProcess, route: str) -> dict[tuple[str, ...], float]:
    """Return the values of a route's metrics, by name and, sorted by its name, each label; without
    those of buckets.
    """
    from prometheus_client.parser import text_string_to_metric_families

    text = httpx.get(f"{proxy.url}/metrics/", timeout=30, follow_redirects=True).text
    found: dict[tuple[str, ...], float] = {}
    for family in text_string_to_metric_families(text):
        for name, labels, value, *_ in family.samples:
            bucket = name.endswith(("_bucket", "_created"))
            if name.startswith("routellm_") and labels.pop("route") == route and not bucket:
                found[(name, *(labels[key] for key in sorted(labels)))] = value
    return found
