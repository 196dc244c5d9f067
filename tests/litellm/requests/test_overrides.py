"""What a request may set about routing, and what it may not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from routellm_core.rules.calibration import calibration_of
from routellm_plugins.demo.proxy_process import ProxyProcess
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY
from tests.litellm.calls import ENDPOINTS, body_of, post
from tests.litellm.configs import HANDLER, alias, group

HEADER, KEY = "x-routellm-threshold", "routellm_threshold"
LIMITS = {"min": 0.3, "max": 0.9}
PRICES = {"strong_price": [10, 10], "weak_price": [1, 1], "tokens_per_request": [600, 400]}
"""A thousand requests cost $10 on the strong model and $1 on the weak one."""


@pytest.fixture(scope="module")
def careful(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A calibration file with a bound on the loss of quality, whose threshold is .4."""
    path: Path = tmp_path_factory.mktemp("calibrations") / "careful.json"
    calibration = calibration_of(
        np.linspace(0.0, 1.0, 201),
        0.4,
        router="graded",
        fingerprint=None,
        rule={"max_quality_loss": 0.05, "confidence": 0.95},
        data="0" * 64,
        date="2026-11-28",
        guarantee="at most 0.05 below always strong",
    )
    path.write_text(calibration.as_json())
    return str(path)


@pytest.fixture(scope="module")
def proxy(
    strong: Upstream, weak: Upstream, careful: str, proxy_with: Callable[..., ProxyProcess]
) -> Iterator[ProxyProcess]:
    usual = {"router": "length", "threshold": 0.8}
    graded = {"router": "graded", "strong_share": 0.2, **PRICES, "sticky": "conversation"}
    offered = {"careful": careful}
    config = {
        "model_list": [
            group("gpt-4o", strong),
            group("gpt-4o-mini", weak),
            alias("open", **usual, allow_override=LIMITS),
            alias("closed", **usual, allow_override=False),
            alias("silent", **usual),
            alias("wishes", **graded, allow_override={**LIMITS, "calibrations": offered}),
            alias("offers", **graded, allow_override={"calibrations": offered}),
            alias("mute", **graded),
            alias("router-*", allow_override=LIMITS),
        ],
        "litellm_settings": {"callbacks": [HANDLER]},
    }
    with proxy_with(config) as process:
        yield process


def ask(proxy: ProxyProcess, endpoint: str, model: str, headers: Any = (), **more: Any) -> Any:
    if endpoint == "gemini":
        body = {"contents": [{"parts": [{"text": EASY}]}], **more}
        return post(proxy, f"v1beta/models/{model}:generateContent", body, **dict(headers))
    body = body_of(endpoint, model, EASY, **more)
    return post(proxy, f"v1/{endpoint}", body, **dict(headers))


def decided(answer: Any) -> tuple[str, str]:
    assert answer.status_code == 200, answer.text
    return answer.headers["x-routellm-tier"], answer.headers["x-routellm-threshold"]


@pytest.mark.parametrize("endpoint", [*ENDPOINTS, "gemini"])
def test_a_header_sets_the_threshold(proxy: ProxyProcess, endpoint: str) -> None:
    assert decided(ask(proxy, endpoint, "open")) == ("weak", "0.8")
    assert decided(ask(proxy, endpoint, "open", {HEADER: "0.4"})) == ("strong", "0.4")
    assert ask(proxy, endpoint, "open", {HEADER: "0.2"}).status_code == 400


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("value", [0.4, "0.4"])
def test_metadata_set_the_threshold(
    proxy: ProxyProcess, strong: Upstream, endpoint: str, value: object
) -> None:
    before = len(strong.requests)
    answer = ask(proxy, endpoint, "open", metadata={KEY: value, "user_id": "u1"})
    assert decided(answer) == ("strong", "0.4")
    assert len(strong.requests) == before + 1
    assert KEY not in str(strong.requests[before:]), "it was sent to the provider"


@pytest.mark.parametrize("value", ["0.95", "0.2", "nan", "-1", "often", "1e999", ""])
def test_what_is_no_threshold_within_the_limits(proxy: ProxyProcess, value: str) -> None:
    for answer in (
        ask(proxy, "chat/completions", "open", {HEADER: value}),
        ask(proxy, "chat/completions", "open", metadata={KEY: value}),
    ):
        assert answer.status_code == 400
        message = answer.json()["error"]["message"]
        assert "may set one of 0.3 to 0.9" in message or "write a threshold" in message


@pytest.mark.parametrize("value", [True, None, [0.4], {"a": 1}, 10**400])
def test_metadata_of_any_type(proxy: ProxyProcess, value: object) -> None:
    """Also where they are not looked at: the alias without limits answers as ever."""
    expected = 200 if value is None else 400
    answer = ask(proxy, "chat/completions", "open", metadata={KEY: value})
    assert answer.status_code == expected, answer.text
    assert ask(proxy, "chat/completions", "silent", metadata={KEY: value}).status_code == 200


@pytest.mark.parametrize("model", ["closed", "silent"])
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_an_alias_that_allows_nothing(proxy: ProxyProcess, model: str, endpoint: str) -> None:
    answer = ask(proxy, endpoint, model, {HEADER: "0.4"}, metadata={KEY: "0.4"})
    assert decided(answer) == ("weak", "0.8")


def test_a_decision_cannot_be_forged(proxy: ProxyProcess) -> None:
    forged = {"tier": "strong", "group": "gpt-4o", "settled": True}
    body = {
        "metadata": {"routellm": forged, "routing_decision": forged},
        "litellm_metadata": {"routellm": forged},
        "proxy_server_request": {"headers": {HEADER: "0.4"}},
        "allow_override": LIMITS,
        "model_info": {"routellm": {"allow_override": LIMITS}},
    }
    headers = {"x-routellm-tier": "strong", "x-routellm-model": "gpt-4o", HEADER: "0.4"}
    answer = ask(proxy, "chat/completions", "closed", headers, **body)
    assert answer.status_code in (200, 400), answer.text
    assert decided(ask(proxy, "chat/completions", "closed", headers)) == ("weak", "0.8")
    assert answer.headers.get("x-routellm-tier", "weak") == "weak"


def test_names_are_held_to_the_limits(proxy: ProxyProcess) -> None:
    for endpoint in ENDPOINTS:
        assert decided(ask(proxy, endpoint, "router-length-0.4")) == ("strong", "0.4")
        answer = ask(proxy, endpoint, "router-length-0.2")
        assert answer.status_code == 400
        assert "may set one of 0.3 to 0.9" in answer.text
    answer = ask(proxy, "chat/completions", "router-length-0.8", {HEADER: "0.4"})
    assert decided(answer) == ("weak", "0.8")


WISHES = {
    "threshold": ("0.4", "0.2"),
    "strong-share": ("0.6", "0.8"),
    "saving": ("0.36", "0.1"),
    "max-cost-per-1k-requests": ("6.4", "9"),
    "calibration": ("careful", "/etc/passwd"),
}
"""By header, a value whose threshold is .4, and one that is not allowed."""


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("wish", WISHES)
def test_a_request_may_have_each_wish(
    proxy: ProxyProcess, strong: Upstream, endpoint: str, wish: str
) -> None:
    allowed, refused = WISHES[wish]
    header, key = f"x-routellm-{wish}", f"routellm_{wish.replace('-', '_')}"
    before = len(strong.requests)
    said = {"system": wish} if endpoint == "messages" else {}
    for answer in (
        ask(proxy, endpoint, "wishes", {header: allowed}, user=f"{wish} by header", **said),
        ask(proxy, endpoint, "wishes", metadata={key: allowed}, user=f"{wish} in metadata", **said),
    ):
        tier, threshold = decided(answer)
        assert (tier, float(threshold)) == ("strong", pytest.approx(0.4))
    assert "routellm_" not in str(strong.requests[before:]), "it was sent to the provider"
    for answer in (
        ask(proxy, endpoint, "wishes", {header: refused}),
        ask(proxy, endpoint, "wishes", metadata={key: refused}),
    ):
        assert answer.status_code == 400
        message = answer.text
        if wish == "calibration":
            assert "there is no such calibration: this model offers 'careful'" in message
        else:
            assert "requests may set one of 0.3 to 0.9" in message
    answer = ask(proxy, endpoint, "mute", {header: allowed}, metadata={key: allowed})
    assert decided(answer) == ("weak", "0.8")


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({"threshold": 0.4, "strong_share": 0.6}, "'threshold' and 'strong_share' are set: keep"),
        ({"strong_share": 1.3}, "routellm_strong_share is 1.3: write a share from 0 to 1"),
        ({"strong_share": True}, "write a share from 0 to 1"),
        ({"saving": 0.95}, "so 90.0% can be saved at most, not 95.0%"),
        ({"saving": "nan"}, "write the part to save, from 0 to 1"),
        ({"max_cost_per_1k_requests": 0.5}, "cost $1 on the weak model alone"),
        ({"max_cost_per_1k_requests": "inf"}, "write dollars, 0 or more"),
        ({"calibration": ["careful"]}, "there is no such calibration"),
        ({"max_quality_loss": 0.02}, "comes by calibration: this model offers 'careful'"),
        ({"treshold": 0.4}, "unknown setting 'treshold' in the metadata: did you mean 'threshold'"),
        ({"strong_price": [1, 1], "saving": 0.1}, "unknown setting 'strong_price'"),
        ({"allow_override": {"min": 0}}, "unknown setting 'allow_override'"),
        ({"router": "length"}, "unknown setting 'router'"),
    ],
)
def test_a_wish_that_a_request_cannot_have(
    proxy: ProxyProcess, sent: dict[str, Any], message: str
) -> None:
    metadata = {f"routellm_{key}": value for key, value in sent.items()}
    answer = ask(proxy, "chat/completions", "wishes", metadata=metadata)
    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]


def test_an_alias_that_offers_calibrations_alone(proxy: ProxyProcess) -> None:
    answer = ask(proxy, "chat/completions", "offers", {"x-routellm-calibration": "careful"})
    assert decided(answer) == ("strong", "0.4")
    for header, value in ((HEADER, "0.9"), ("x-routellm-strong-share", "0.1")):
        answer = ask(proxy, "chat/completions", "offers", {header: value})
        assert answer.status_code == 400
        assert "requests may set no threshold: this model offers 'careful'" in answer.text


def test_a_wish_that_is_refused_changes_no_conversation(proxy: ProxyProcess) -> None:
    for share, status in (("1", 400), ("0.2", 200)):
        headers = {"x-routellm-strong-share": share, "x-litellm-session-id": "refused"}
        answer = ask(proxy, "chat/completions", "wishes", headers)
        assert answer.status_code == status
    assert decided(answer) == ("weak", "0.8")
