"""A shadow whose other model is a function."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from routellm_core.traffic.shadow.settings import ShadowSettings
from routellm_core.traffic.shadow.shadow import OtherCall, Shadow
from routellm_core.traffic.store.kept import Answer
from routellm_core.traffic.store.store import Store
from tests.traffic.exchanges import answer


def shadow_of(path: str, **settings: Any) -> Shadow:
    values = {"sample": 1.0, "budget_usd": 10.0, "store": path, "per_minute": 1e6, **settings}
    return Shadow("chat", ShadowSettings(**values))


def other(make: Callable[[], Answer], estimate_usd: float | None = 0.0, size: int = 0) -> OtherCall:
    return OtherCall("strong", "strong-model", make, size, estimate_usd)


def dear(cost_usd: float) -> Answer:
    return answer("strong", cost_usd=cost_usd)


def errors(path: str) -> Counter[str | None]:
    return Counter(row["error"] for row in Store(path).answers() if row["shadow"])


def raising(error: BaseException) -> Callable[[], Answer]:
    def make() -> Answer:
        raise error

    return make
