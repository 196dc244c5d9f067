"""A proxy that is told to stop writes what waits for its store."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from routellm_core.traffic.store.store import Store
from routellm_plugins.demo.proxy_process import ProxyProcess
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY
from tests.litellm.calls import send
from tests.litellm.configs import HANDLER, KEY, alias, group


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_stop_right_after_a_request_loses_no_record(tmp_path: Path, workers: str) -> None:
    store = tmp_path / "traffic.db"
    shadow = {"sample": 0.0, "budget_usd": 0, "store": str(store)}
    with Upstream("gpt-4o") as strong, Upstream("gpt-4o-mini") as weak:
        config = {
            "model_list": [
                group("gpt-4o", strong),
                group("gpt-4o-mini", weak),
                alias("routed", router="mf", strong_share=0.3, shadow=shadow),
            ],
            "litellm_settings": {"callbacks": [HANDLER]},
        }
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(config))
        with ProxyProcess(path, {"LITELLM_MASTER_KEY": KEY, "NUM_WORKERS": workers}) as proxy:
            answers = [send(proxy, "chat/completions", "routed", EASY) for _ in range(20)]
    assert [answer.status_code for answer in answers] == [200] * 20
    assert len(list(Store(str(store), make=False).requests())) == 20
