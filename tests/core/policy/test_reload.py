"""A checkpoint folder that changes is taken up without a restart, whole or not at all."""

from __future__ import annotations

import json
import logging
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save

from routellm_core import Asked, Decision, RoutingPolicy, load_router
from routellm_core.checkpoints.store import BUNDLED, CONFIG, WEIGHTS, write_whole
from routellm_core.policy import reload
from routellm_core.policy.policies import adecide, decide, decide_each, policy_of
from routellm_core.rules.calibration import calibration_of
from routellm_core.settings import PolicySettings
from routellm_core.traffic.shadow.other_model import two_models
from routellm_core.traffic.shadow.settings import ShadowSettings
from routellm_core.traffic.store.kept import Answer, Request
from routellm_core.traffic.store.store import Store

TEXT = "Why is the sky blue?"
LOOKS = 400
"""At most, of a hundredth of a second each."""


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reload, "INTERVAL_S", 0.01)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BUNDLED / "mf", tmp_path / "router"))


def settings(folder: Path, **more: Any) -> PolicySettings:
    return PolicySettings(
        router_options={"checkpoint": str(folder)}, **(more or {"strong_share": 0.3})
    )


def weights(folder: Path, times: float = -1.0) -> bytes:
    """Return the weights of a router of another opinion."""
    tensors = load_file(folder / WEIGHTS)
    tensors["text_proj.0.weight"] = tensors["text_proj.0.weight"] * np.float32(times)
    return save(tensors)


def until(decide_now: Callable[[], Any], is_there: Callable[[Any], bool]) -> Any:
    for _ in range(LOOKS):
        found = decide_now()
        if is_there(found):
            return found
        time.sleep(0.01)
    raise AssertionError(f"still {found}")


def test_a_changed_checkpoint_decides_from_then_on(folder, caplog):
    chosen = settings(folder)
    before = decide(chosen, TEXT)
    old = load_router("mf", checkpoint=str(folder))
    write_whole(folder / WEIGHTS, weights(folder))
    with caplog.at_level(logging.INFO, "routellm_core"):
        after = until(lambda: decide(chosen, TEXT), lambda found: found.score != before.score)
        for _ in range(20):
            decide(chosen, TEXT)
            time.sleep(0.01)
    fresh = RoutingPolicy("mf", strong_share=0.3, router_options={"checkpoint": folder})
    expected = fresh.decide(TEXT)
    assert (after.score, after.threshold) == (expected.score, expected.threshold)
    assert after.threshold != before.threshold
    assert load_router("mf", checkpoint=str(folder)) is not old
    (line,) = [record.getMessage() for record in caplog.records]
    assert line == (
        f"router 'mf': {folder} changed and is used from now on, "
        f"with threshold {after.threshold:.5f}"
    )


def test_every_policy_of_the_folder_takes_it_up(folder):
    several = [
        settings(folder),
        settings(folder, threshold=0.5),
        settings(folder, strong_share=0.7),
    ]
    before = [decide(each, TEXT).score for each in several]
    assert len(set(before)) == 1
    write_whole(folder / WEIGHTS, weights(folder))

    def scores() -> set[float | None]:
        decisions = decide_each([(each, TEXT) for each in several])
        return {each.score for each in decisions if isinstance(each, Decision)}

    assert before[0] not in until(scores, lambda found: before[0] not in found)
    assert len(scores()) == 1


async def test_and_on_an_event_loop(folder):
    chosen = settings(folder)
    before = (await adecide(chosen, TEXT)).score
    write_whole(folder / WEIGHTS, weights(folder))
    for _ in range(LOOKS):
        if (await adecide(chosen, TEXT)).score != before:
            return
        time.sleep(0.01)
    raise AssertionError


def half(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(weights(folder)[:100_000])


def no_json(folder: Path) -> None:
    (folder / CONFIG).write_text("{")


def gone(folder: Path) -> None:
    (folder / WEIGHTS).unlink()


def no_folder(folder: Path) -> None:
    shutil.rmtree(folder)


def of_another_encoder(folder: Path) -> None:
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps({**config, "encoder_fingerprint": "other"}))


@pytest.mark.parametrize("broken", [half, no_json, gone, no_folder, of_another_encoder])
def test_a_broken_one_keeps_the_old_and_says_so_once(folder, tmp_path, caplog, broken):
    sound = shutil.copytree(folder, tmp_path / "sound")
    chosen = settings(folder)
    before = decide(chosen, TEXT)

    def answer() -> list[str]:
        found = decide(chosen, TEXT)
        assert (found.score, found.threshold) == (before.score, before.threshold)
        return [record.getMessage() for record in caplog.records]

    broken(folder)
    until(answer, bool)
    for _ in range(20):
        answer()
        time.sleep(0.01)
    (line,) = answer()
    assert f"{folder} changed and cannot be used, so the one before stays" in line
    # A new policy of the same router is made from the old one too.
    assert decide(settings(folder, strong_share=0.6), TEXT).score == before.score
    if broken is no_folder:
        folder.mkdir()
    for path in sound.iterdir():
        write_whole(folder / path.name, path.read_bytes())
    write_whole(folder / WEIGHTS, weights(sound))
    until(lambda: decide(chosen, TEXT), lambda found: found.score != before.score)


def test_what_is_being_written_is_not_taken_up(folder, monkeypatch, caplog):
    chosen = settings(folder)
    before = decide(chosen, TEXT)
    other = weights(folder)
    for at in range(10):  # grows between any two looks
        (folder / WEIGHTS).write_bytes(other[: len(other) * (at + 1) // 12])
        time.sleep(0.015)
        assert decide(chosen, TEXT).score == before.score
    assert caplog.records == []
    (folder / WEIGHTS).write_bytes(other)
    until(lambda: decide(chosen, TEXT), lambda found: found.score != before.score)


def test_a_change_before_the_policy_was_made_is_seen(folder):
    old = load_router("mf", checkpoint=str(folder))
    write_whole(folder / WEIGHTS, weights(folder))
    chosen = settings(folder)
    (score,) = old.score([TEXT])
    assert decide(chosen, TEXT).score == score
    until(lambda: decide(chosen, TEXT), lambda found: found.score != score)


def test_a_calibration_file_goes_with_it(folder, tmp_path, caplog):
    from tests.cli.command import called

    prompts, file = tmp_path / "prompts.jsonl", tmp_path / "own.json"
    texts = [f"{'why ' * (at % 30)}is number {at} so?" for at in range(100)]
    prompts.write_text("".join(json.dumps({"prompt": text}) + "\n" for text in texts))
    base = ["calibrate", "--prompts", str(prompts), "--out", str(file), "--strong-share"]

    def calibrate(share: str, checkpoint: Path) -> None:
        done = called(*base, share, "--checkpoint", str(checkpoint))
        assert done.returncode == 0, done.stderr

    calibrate("0.3", folder)
    chosen = settings(folder, calibration=str(file))
    before = decide(chosen, TEXT)
    calibrate("0.6", folder)
    after = until(lambda: decide(chosen, TEXT), lambda f: f.threshold != before.threshold)
    assert after.threshold < before.threshold
    # The checkpoint alone does not fit the calibration; both together do.
    caplog.clear()
    write_whole(folder / WEIGHTS, weights(folder, 0.5))
    until(lambda: decide(chosen, TEXT), lambda found: bool(caplog.records))
    assert decide(chosen, TEXT).threshold == after.threshold
    copy = shutil.copytree(folder, tmp_path / "copy")
    calibrate("0.3", copy)
    last = until(lambda: decide(chosen, TEXT), lambda f: f.threshold != after.threshold)
    assert last.score != before.score


def test_no_thread_to_be_had_fails_no_call(folder, monkeypatch):
    chosen = settings(folder)
    before = decide(chosen, TEXT)
    write_whole(folder / WEIGHTS, weights(folder))

    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        for _ in range(10):
            assert decide(chosen, TEXT).score == before.score
            time.sleep(0.01)
    until(lambda: decide(chosen, TEXT), lambda found: found.score != before.score)


def test_bundled_routers_are_not_looked_at(monkeypatch):
    chosen = PolicySettings(router="mf", threshold=0.5)
    policy = policy_of(chosen)

    def looked(path: Path) -> None:
        raise AssertionError

    monkeypatch.setattr(reload, "stamp_of", looked)
    time.sleep(0.02)
    assert policy_of(chosen) is policy


def test_the_report_follows_the_policy_that_decides(folder: Path, tmp_path: Path):
    store = tmp_path / "traffic.db"
    prices = {"strong_price": "2.5,10", "weak_price": "0.1,0.5"}
    shadow = ShadowSettings(sample=0, budget_usd=0, store=str(store), **prices)
    file = tmp_path / "calibration.json"
    texts = [TEXT, "Prove it.", "Hello", "Why?", "Sum 3 and 4"]

    def calibrated(share: float) -> None:
        scores = load_router("mf", checkpoint=str(folder)).score(texts)
        made = calibration_of(
            scores,
            float(np.quantile(scores, 1 - share)),
            router="mf",
            fingerprint=load_router("mf", checkpoint=str(folder)).fingerprint,
            rule={"strong_share": share},
            data="0" * 64,
            date="2026-11-28",
        )
        write_whole(file, made.as_json().encode())

    calibrated(0.2)
    routing = settings(folder, calibration=str(file))
    models = two_models("app", shadow, {"strong": "big", "weak": "small"}, routing)

    def keep() -> float | None:
        kept = Request(
            f"r{time.time_ns()}", time.time(), "app", decide(routing, Asked(turns=(TEXT,)))
        )
        models.keep(kept, Answer("weak"), None)
        models.shadow.flush()
        routes = list(Store(str(store)).routes())  # written on a thread of its own
        return routes[0]["about"].get("target_share") if routes else None

    first = until(keep, lambda share: share is not None)
    calibrated(0.6)
    assert until(keep, lambda share: share != first) == pytest.approx(0.6)
