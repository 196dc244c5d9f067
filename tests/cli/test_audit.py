"""`routellm audit` as a user runs it."""

from __future__ import annotations

import json
import os
import re
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from routellm_core import RoutingPolicy
from routellm_core.data.logs.call_facts import CallFacts
from routellm_core.data.logs.call_forms import LoggedCall
from routellm_core.data.logs.calls import Skipped, read_calls
from routellm_core.policy.policy import RoutingPolicy as Policy
from routellm_core.rules.calibration import read_calibration
from routellm_core.traffic.audit.columns import read_columns
from routellm_core.traffic.audit.kinds import KINDS, kind_of
from routellm_core.traffic.audit.names import shown_name
from tests.fakes import routers
from tests.fakes.routers import EASY, HARD

from .audits import AT, HASH, PRICES, found_in, lines, row
from .command import called


@pytest.fixture
def log(tmp_path: Path, plugin: Any) -> Path:
    """A hard question with a follow-up, an easy question, a title, and an agent's step."""
    plugin(routers)
    title = "### Task: Generate a title <chat_history> SECRET </chat_history>"
    step = [
        {"role": "user", "content": EASY},
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "tool", "content": "SECRET"},
    ]
    cached = {"usage_object": {"prompt_tokens_details": {"cached_tokens": 1500}}}
    return lines(
        tmp_path / "log.jsonl",
        row(HARD),
        row(HARD, "Yes, do it.", startTime="2026-11-02 10:01:00", metadata=json.dumps(cached)),
        row(EASY, startTime="2026-11-03T09:00:00Z", team_id="sales"),
        row(title),
        row(EASY, proxy_server_request=json.dumps({"messages": step}), model_group="agent"),
    )


def test_what_would_have_gone_where(log, tmp_path):
    out = tmp_path / "out"
    done = called("audit", str(log), *AT, *PRICES, "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert "40.0 % of all calls would have gone to the strong model" in done.stdout
    assert "This says nothing about quality" in done.stdout
    found = found_in(out)
    turns = {part["name"]: (part["calls"], part["strong"]) for part in found["parts"]["turn"]}
    assert turns == {
        "first turn": (2, 1),
        "later turn, a follow-up": (1, 1),
        "agent's step on the same turn": (1, 0),
        "side call (title, summary, ...)": (1, 0),
    }
    names = {
        column: {part["name"]: part["calls"] for part in found["parts"][column]}
        for column in ("route", "key", "team", "day")
    }
    assert names == {
        "route": {"gpt-4o": 4, "agent": 1},
        "key": {"88dc28d0...": 5},
        "team": {"support": 4, "sales": 1},
        "day": {"2026-11-02": 4, "2026-11-03": 1},
    }
    money = found["money"]
    # 2,000 tokens read and 100 written; the follow-up finds 1,500 in the cache, which the call
    # before it has put there.
    plain, weak = 2_000 * 10 + 100 * 30, 2_000 * 1 + 100 * 3
    talk = (plain + 1_500 * 2.5) + (500 * 10 + 1_500 * 1 + 100 * 30)
    assert money["always_strong"] == pytest.approx((talk + 3 * plain) / 1e6)
    assert money["routed"] == pytest.approx((talk + 3 * weak) / 1e6)
    assert found["spend"] == pytest.approx(0.05)


def test_a_prompt_that_a_job_repeats_is_told(tmp_path):
    people = [row(f"What is {at} plus {at}, please?", api_key=str(at)) for at in range(60)]
    job = [row(HARD, api_key="job", startTime=f"2026-11-02T10:{at:02}:00Z") for at in range(40)]
    out, share = tmp_path / "out", ("--strong-share", "0.4")
    log = lines(tmp_path / "log.jsonl", *people, *job)
    done = called("audit", str(log), *share, "--out", str(out))
    assert done.returncode == 0, done.stderr
    said = "40 calls (40.0 %) ask the same, by their score, as a job does: all of them would have "
    said += "gone to the strong model. Of the other calls, 0.0 % would have gone to the strong one."
    assert said in " ".join(done.stdout.split())
    assert said in (out / "audit.md").read_text()
    assert found_in(out)["repeated_prompt"] == {"calls": 40, "strong": True, "others": 0.0}
    called("audit", str(lines(log, *people)), *share, "--out", str(tmp_path / "few"))
    assert "ask the same" not in (tmp_path / "few" / "audit.md").read_text()


def test_no_text_and_no_key_is_in_any_output(log, tmp_path):
    out = tmp_path / "out"
    done = called("audit", str(log), *AT, *PRICES, "--out", str(out))
    texts = [done.stdout, done.stderr, *(path.read_text() for path in out.iterdir())]
    for text in texts:
        for secret in (HARD, EASY, "SECRET", "Yes, do it", HASH):
            assert secret not in text


def test_prompts_near_the_threshold_if_asked(log, tmp_path):
    out = tmp_path / "out"
    done = called("audit", str(log), *AT, "--show-prompts", "2", "--out", str(out))
    assert HARD in " ".join(done.stdout.split())
    assert EASY in done.stdout
    assert [near["model"] for near in found_in(out)["nearest"]] == ["strong", "weak"]
    assert HARD in (out / "audit.md").read_text()


def test_the_page_needs_nothing_beside_it_and_runs_nothing(log, tmp_path, plugin):
    evil = "<script>alert(1)</script> |[x](http://x)"
    lines(log, row(HARD, model_group=evil), row(EASY, team_id="[bold]x[/bold] `y`"))
    out = tmp_path / "out"
    done = called("audit", str(log), *AT, *PRICES, "--out", str(out))
    assert done.returncode == 0, done.stderr
    page = (out / "audit.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert re.findall(r'(?:src|href)="(?!data:image/svg\+xml;base64,)', page) == []
    assert page.count("<img ") == 2
    assert "default-src 'none'" in page
    assert "[bold]x[/bold]" in done.stdout
    markdown = (out / "audit.md").read_text()
    assert "\\<script" in markdown
    assert "\\|\\[x\\]" in markdown


def test_a_share_of_these_prompts_and_what_to_paste(tmp_path):
    yaml = pytest.importorskip("yaml")
    rows = [
        row(f"Question {at}: {'why ' * (at % 40)}is it so?", api_key=str(at)) for at in range(300)
    ]
    log, out = lines(tmp_path / "log.jsonl", *rows), tmp_path / "out"
    done = called("audit", str(log), "--strong-share", "0.4", *PRICES, "--out", str(out))
    assert done.returncode == 0, done.stderr
    found = found_in(out)
    assert found["share"]["value"] == pytest.approx(0.4, abs=0.02)
    assert found["share"]["low"] < found["share"]["value"] < found["share"]["high"]
    assert f"of usual traffic, and send {100 * found['uncalibrated_share']:.1f} %" in done.stdout
    settings = yaml.safe_load((out / "config_entry.yaml").read_text())["model_list"][0]
    settings = settings["model_info"]["routellm"]
    assert read_calibration(settings["calibration"]).rule == {"strong_share": 0.4}
    policy = RoutingPolicy(settings["router"], calibration=settings["calibration"])
    calls = list(read_calls(log, Skipped()))
    tiers = [each.tier for each in policy.decide_many([call.turns[0] for call in calls])]
    assert tiers.count("strong") / 300 == found["share"]["value"]
    curve = [(each["share"], each["saving"]) for each in found["curve"]]
    assert curve == sorted(curve, key=lambda each: (-each[0], each[1]))
    # The same with the file that it wrote, and with its threshold.
    for same in (
        ["--calibration", settings["calibration"]],
        ["--threshold", str(found["threshold"])],
    ):
        again = called("audit", str(log), *same, *PRICES, "--out", str(tmp_path / "again"))
        assert again.returncode == 0, again.stderr
        assert found_in(tmp_path / "again")["money"] == found["money"]


def test_the_entry_passes_the_check_of_a_config(tmp_path, log):
    yaml = pytest.importorskip("yaml")
    pytest.importorskip("litellm")
    out = tmp_path / "out"
    named = ["--strong-model", "gpt-4o", "--weak-model", "gpt-4o-mini", "--sticky", "conversation"]
    done = called("audit", str(log), *named, "--strong-share", "0.5", "--out", str(out))
    assert done.returncode == 0, done.stderr
    config = yaml.safe_load((out / "config_entry.yaml").read_text())
    for name in ("gpt-4o", "gpt-4o-mini"):
        model = {"model": f"openai/{name}", "api_key": "unused"}
        config["model_list"].insert(0, {"model_name": name, "litellm_params": model})
    assert config["model_list"][-1]["model_info"]["routellm"]["sticky"] == "conversation"
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    checked = called("check", "--config", str(tmp_path / "config.yaml"))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_without_prices_it_says_nothing_of_costs(log):
    done = called("audit", str(log), *AT)
    assert done.returncode == 0
    assert "Without prices nothing is said of costs" in done.stdout
    assert "$" not in done.stdout


def test_a_share_that_cannot_be_reached_is_told(log):
    lines(log, *(row(EASY) for _ in range(95)), *(row(HARD) for _ in range(5)))
    done = called("audit", str(log), "--router", "length", "--strong-share", "0.3")
    assert done.returncode == 0
    assert (
        "a strong share of 30.0% cannot be reached: many prompts have the same score" in done.stdout
    )
    never = called("audit", str(log), "--router", "length", "--strong-share", "0")
    assert "strong_share: 0.0" in never.stdout  # a threshold of 1 would not keep all away


def test_only_some_routes(log, tmp_path):
    done = called("audit", str(log), *AT, "--route", "agent", "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert found_in(tmp_path / "out")["calls"] == 1
    none = called("audit", str(log), *AT, "--route", "gpt-5")
    assert (none.returncode, none.stderr.strip()) == (
        2,
        "error: there are no calls to audit that asked for gpt-5",
    )


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no pipes")
def test_a_pipe_is_read_once(log, tmp_path):
    pipe, content = tmp_path / "pipe", log.read_bytes()
    os.mkfifo(pipe)
    again = called("audit", str(pipe), *AT, "--show-prompts", "2")
    assert (again.returncode, "cannot be read twice" in again.stderr) == (2, True)
    writer = threading.Thread(target=pipe.write_bytes, args=(content,))
    writer.start()
    done = called("audit", str(pipe), *AT, "--out", str(tmp_path / "out"))
    writer.join(30)
    assert done.returncode == 0, done.stderr
    assert found_in(tmp_path / "out")["calls"] == 5


def test_prices_the_wrong_way_round_are_told(log):
    done = called("audit", str(log), *AT, "--strong-price", "0.15,0.6", "--weak-price", "2.5,10")
    assert done.returncode == 0, done.stderr
    said = "The strong model is the cheaper one at these prices, so routing cannot save"
    assert said in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--strong-share", ".3", "--threshold", ".5"], "keep one of them"),
        (["--strong-price", "1,2"], "only one model has a price"),
        (["--strong-price", "1", "--weak-price", "1,2"], "write dollars for a million tokens"),
        (["--strong-cache-price", "1"], "a cache price needs the model's"),
        (
            [*PRICES[:2], "--weak-price", "1,2", "--weak-cache-price", "1,2,3"],
            "price of a cache is",
        ),
        (["--sticky", "always"], "'sticky' is 'always'"),
        (["--calibration", "none.json"], "cannot be read"),
    ],
)
def test_a_mistake_is_one_line(log, arguments, said):
    done = called("audit", str(log), *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_only_side_calls(log):
    lines(log, row("### Task: Generate a title <chat_history> x </chat_history>"))
    done = called("audit", str(log), *AT)
    assert done.returncode == 2
    assert "serve an application" in done.stderr


def test_what_the_gateway_answered_from_its_cache_costs_nothing(log, tmp_path):
    unknown = row(f"{HARD} 3", completion_tokens=None)
    lines(log, row(HARD), row(HARD, cache_hit="True"), row(f"{EASY} 2"), unknown)
    done = called("audit", str(log), *AT, *PRICES, "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    found = found_in(tmp_path / "out")
    assert found["money"]["always_strong"] == pytest.approx(3 * (2000 * 10 + 100 * 30) / 1e6)
    assert (found["calls"], found["repeated"], found["usual_answer"]) == (4, 1, 100.0)
    assert "1 calls were answered from the gateway's own cache and cost nothing." in done.stdout


def test_a_router_that_fails_is_told(log):
    done = called("audit", str(log), "--router", "failing")
    assert done.returncode == 2


FACTS: dict[str, tuple[dict[str, Any], CallFacts]] = {
    "spend log": (
        row(
            HARD,
            cache_hit="True",
            metadata=json.dumps(
                {
                    "user_api_key_alias": "bot",
                    "user_api_key_team_alias": "Sales",
                    "additional_usage_values": {
                        "cache_read_input_tokens": 7,
                        "cache_creation_input_tokens": 9,
                    },
                }
            ),
        ),
        CallFacts("gpt-4o", "bot", "Sales", 1793613600.123, None, 7, 9, 0.01, True),
    ),
    "OpenAI": (
        {
            "messages": [{"role": "user", "content": HARD}],
            "response": {
                "model": "gpt-4o",
                "created": 1793613600,
                "usage": {"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 3}},
            },
        },
        CallFacts("gpt-4o", when=1793613600.0, cached=3),
    ),
    "OpenTelemetry": (
        {
            "startTimeUnixNano": "1793613600000000000",
            "attributes": {
                "gen_ai.request.model": "gpt-4o",
                "gen_ai.conversation.id": "c1",
                "gen_ai.usage.input_tokens": 5,
                "gen_ai.usage.cache_read.input_tokens": 3,
                "metadata.user_api_key_alias": "bot",
                "gen_ai.input.messages": [
                    {"role": "user", "parts": [{"type": "text", "content": HARD}]}
                ],
            },
        },
        CallFacts("gpt-4o", "bot", None, 1793613600.0, "c1", 3),
    ),
    "Langfuse": (
        {
            "type": "GENERATION",
            "startTime": "2026-11-02T10:00:00.12Z",
            "sessionId": "s1",
            "model": "gpt-4o",
            "usageDetails": {"input": 2, "input_cached_tokens": 3, "output": 1},
            "input": [{"role": "user", "content": HARD}],
            "calculatedTotalCost": 0.5,
        },
        CallFacts("gpt-4o", None, None, 1793613600.12, "s1", 3, None, 0.5),
    ),
}


@pytest.mark.parametrize("form", FACTS)
def test_what_each_form_says_of_a_call(tmp_path, form):
    given, expected = FACTS[form]
    (call,) = read_calls(lines(tmp_path / "log.jsonl", given), Skipped())
    assert call.facts == expected
    if form == "Langfuse":
        assert call.input_tokens == 5


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (HASH, "88dc28d0..."),
        ("sk-proj-abcdefgh1234", "sk-...1234"),
        ("8f14e45f-ceea-467f-a9d1-0123456789ab", "8f14e45f..."),
        ("AKIAx9sd8f7sdf87sdf98s7df9s8d7f9", "AKIAx9sd..."),
        ("support-bot", "support-bot"),
        ("gpt-4o-2024-08-06", "gpt-4o-2024-08-06"),
        ("anthropic/claude-3-5-sonnet-20241022", "anthropic/claude-3-5-sonnet-20241022"),
        ("two\nlines\x1b[31m", "two lines [31m"),
    ],
)
def test_names_are_shown_without_secrets(name, shown):
    assert shown_name(name) == shown


def test_kinds_of_prompts():
    prompts = {
        "code": "Why does this fail?\n```\nprint(1)\n```",
        "maths": "What is 12 * 17?",
        "reword or translate": "Translate to German: good morning",
        "classify or extract": "Extract all names from the letter below",
        "write": "Write a poem on autumn",
        "long text": "word " * 2_000,
        "question": EASY,
        "other": "Berlin",
    }
    assert tuple(prompts) == KINDS
    assert {kind_of(text): text for text in prompts.values()} == prompts


def test_memory_does_not_grow_with_the_text(plugin):
    plugin(routers)

    def many() -> Iterator[LoggedCall]:
        for at in range(4_000):
            text = f"{at} " + "x" * 20_000
            image = {"type": "image_url", "image_url": {"url": "y" * 20_000}}
            parts = [{"type": "text", "text": text}, image]
            yield LoggedCall((text,), messages=[{"role": "user", "content": parts}])

    policy = Policy("length", threshold=0.5)
    tracemalloc.start()
    try:
        calls = read_columns(policy, many())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(calls) == 4_000
    assert peak < 40_000_000  # of 160
