"""The figures of routes from metrics: a proxy's own page, or a Prometheus server that scrapes it.

They are sums: how many requests went where and why, and what they cost. So nothing is said of
quality, and the saving has no interval.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import numpy as np

from ...decision import Tier
from ...errors import ConfigError
from ...evaluation.intervals import Estimate
from ...rules.drift import Status
from .estimates import wilson
from .figures import Costs, Figures, Quality
from .requests import TIERS

DECISIONS, COST, ALWAYS_STRONG = METRICS = (
    *("routellm_decisions_total", "routellm_cost_dollars_total"),
    "routellm_always_strong_dollars_total",
)
_BEGAN = "routellm_decisions_created"
_TIMEOUT_S = 30
_DAY_S = 86_400.0
DAYS = 7.0
"""Of which a server is asked, if nothing is said."""

_SAMPLE = re.compile(r"(\w+)\{(.*)\}\s+(\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_ESCAPED = {r"\\": "\\", r"\"": '"', r"\n": "\n"}

Sample = tuple[str, Mapping[str, str], float]
"""Of a metric, its name, labels and value."""


def read_metrics(url: str, since: float | None, key: str | None) -> list[Figures]:
    """Return the figures of each route, by name.

    Args:
        url: a proxy's page, which ends with ``/metrics``, or a Prometheus server.
        since: of a server, only requests that came then or later, in seconds since 1970; None: in
            the last ``DAYS``. A page counts since its process began.
        key: sent as a bearer token; None: none is.

    Raises:
        ConfigError: it does not answer, or has no decisions, or ``since`` is given for a page.
    """
    now = time.time()
    if url.rstrip("/").endswith("/metrics"):
        if since is not None:
            raise ConfigError(
                f"{url} counts since its process began: leave out --since, or ask the Prometheus "
                "server that scrapes it"
            )
        found = _collected(_page(_asked(url, key).decode("utf-8", "replace")), math.nan)
    else:
        began = now - DAYS * _DAY_S if since is None else since
        found = _collected(_server(url.rstrip("/"), max(1, round(now - began)), key), began)
    routes = [each for _, each in sorted(found.items()) if each.requests]
    if not routes:
        raise ConfigError(
            f"{url} has no decisions of routes: list `prometheus` among the proxy's callbacks "
            "beside routellm_plugins.litellm.proxy_handler, and send requests to an alias"
        )
    return [each.figures(now) for each in routes]


@dataclass
class _Sums:
    route: str
    began: float
    tiers: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)
    groups: dict[Tier, str] = field(default_factory=dict)
    cost: float = math.nan
    always_strong: float = math.nan

    @property
    def requests(self) -> int:
        return sum(self.tiers.values())

    def figures(self, now: float) -> Figures:
        return Figures(
            source="metrics",
            route=self.route,
            models=self.groups,
            requests=self.requests,
            first_at=self.began,
            last_at=now,
            acted=self.requests,
            share=wilson(self.tiers["strong"] / self.requests, self.requests),
            causes=dict(self.causes.most_common()),
            costs=self._costs(),
            quality=Quality({}, dict.fromkeys(TIERS, 0), 0, None),
            exploration=None,
            drift=Status("", math.nan, None, None, 0, None, None, {}),
            warning=None,
            sampled=0,
            shadow={},
            spent_usd=0.0,
            lost=0,
        )

    def _costs(self) -> Costs | None:
        if not self.always_strong > 0 or math.isnan(self.cost):
            return None
        saving = Estimate(1 - self.cost / self.always_strong, math.nan, math.nan)
        return Costs(
            requests=self.requests,
            served=self.cost,
            decided=self.cost,
            always_strong=self.always_strong,
            saving=saving,
            cached=None,
            warm=0.0,
            length_ratio=None,
        )


def _collected(samples: Iterable[Sample], began: float) -> dict[str, _Sums]:
    """Return what samples say of each route, those of several processes together."""
    found: dict[str, _Sums] = {}
    sums: dict[tuple[str, str], float] = defaultdict(float)
    counts: dict[tuple[str, str, str, str], float] = defaultdict(float)
    for name, labels, value in samples:
        if "route" not in labels or not math.isfinite(value):
            continue
        route = labels["route"]
        each = found.setdefault(route, _Sums(route, began))
        if name == DECISIONS:
            tier = labels.get("tier", "")
            counts[route, tier, labels.get("cause", ""), labels.get("model", "")] += value
        elif name == _BEGAN:
            each.began = float(np.fmin(each.began, value))
        elif name in METRICS:
            sums[route, name] += value
    for (route, tier, cause, group), count in counts.items():
        # A server extrapolates, so its counts are no whole numbers.
        n = round(count)
        if tier in TIERS and n:
            found[route].tiers[tier] += n
            found[route].causes[cause] += n
            found[route].groups[tier] = group
    for (route, name), total in sums.items():
        if name == COST:
            found[route].cost = total
        else:
            found[route].always_strong = total
    return found


def _page(text: str) -> Iterator[Sample]:
    """Yield the samples of routing on a page in Prometheus's text format."""
    for line in text.splitlines():
        sample = _SAMPLE.match(line) if line.startswith("routellm_") else None
        if sample is None:
            continue
        labels = {
            name: re.sub(r"\\.", lambda found: _ESCAPED.get(found[0], found[0]), value)
            for name, value in _LABEL.findall(sample[2])
        }
        try:
            yield sample[1], labels, float(sample[3])
        except ValueError:
            continue


def _server(url: str, seconds: int, key: str | None) -> Iterator[Sample]:
    """Yield how much the metrics grew in the last seconds, as a Prometheus server tells."""
    for name in METRICS:
        labels = "route, tier, cause, model" if name == DECISIONS else "route"
        query = f"sum by ({labels}) (increase({name}[{seconds}s]))"
        answer = _asked(f"{url}/api/v1/query?{urlencode({'query': query})}", key)
        try:
            for series in json.loads(answer)["data"]["result"]:
                yield name, series["metric"], float(series["value"][1])
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise ConfigError(
                f"{url} answers something else than a Prometheus server: name its address, or a "
                "proxy's page of metrics, such as http://localhost:4000/metrics"
            ) from error


def _asked(url: str, key: str | None) -> bytes:
    shown = url.partition("?")[0]
    request = Request(url, headers={"Authorization": f"Bearer {key}"} if key else {})
    try:
        with urlopen(request, timeout=_TIMEOUT_S) as response:
            found: bytes = response.read()
            return found
    except HTTPError as error:
        if error.code in (401, 403):
            raise ConfigError(
                f"{shown} refuses {'the' if key else 'to go without a'} key ({error.code}): give "
                "one with --key"
            ) from error
        raise ConfigError(
            f"{shown} answers {error.code}: name a page of metrics, such as "
            "http://localhost:4000/metrics, or a Prometheus server"
        ) from error
    except (OSError, HTTPException, ValueError) as error:
        raise ConfigError(f"{shown} cannot be reached ({error}): is it running?") from error
