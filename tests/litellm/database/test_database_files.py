"""Files and batches that LiteLLM manages, sent to an alias: they are in its entry's account.

LiteLLM's images have that with its database; in its package a module is missing, made up here.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from routellm_plugins.demo.proxy_process import ProxyProcess
from tests.fakes.other_endpoints import OtherEndpoints
from tests.litellm.calls import ENDPOINTS, body_of, get, post
from tests.litellm.configs import HANDLER, KEY, alias
from tests.litellm.database.asking import key, made
from tests.litellm.database.setting import database_missing, with_database

pytest.importorskip("litellm_enterprise.proxy.hooks.managed_files")
pytestmark = [
    pytest.mark.skipif(database_missing() is not None, reason=str(database_missing())),
    pytest.mark.timeout(600),
]
HOOKS = """
from litellm_enterprise.proxy.hooks.managed_files import _PROXY_LiteLLMManagedFiles
from litellm_enterprise.proxy.hooks.managed_vector_stores import _PROXY_LiteLLMManagedVectorStores

ENTERPRISE_PROXY_HOOKS = {
    "managed_files": _PROXY_LiteLLMManagedFiles,
    "managed_vector_stores": _PROXY_LiteLLMManagedVectorStores,
}
"""
LINE = (
    b'{"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", '
    b'"body": {"model": "gpt-4o-router", "messages": []}}'
)
ALIASES = {"gpt-4o-router": "gpt-4o-mini", "reversed-router": "gpt-4o", "router-*": "gpt-4o-mini"}
"""With their weak groups."""


@pytest.fixture(scope="module")
def upstreams() -> Iterator[dict[str, OtherEndpoints]]:
    with OtherEndpoints("gpt-4o") as strong, OtherEndpoints("gpt-4o-mini") as weak:
        yield {"gpt-4o": strong, "gpt-4o-mini": weak}


@pytest.fixture(scope="module")
def proxy(
    upstreams: dict[str, OtherEndpoints],
    plugin_path: str,
    proxy_with: Callable[..., ProxyProcess],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ProxyProcess]:
    def entry(model: str) -> dict[str, Any]:
        upstream = {"api_base": upstreams[model].url, "api_key": "unused"}
        return {"model_name": model, "litellm_params": {"model": f"openai/{model}", **upstream}}

    site: Path = tmp_path_factory.mktemp("site")
    (site / "enterprise").mkdir()
    (site / "enterprise/__init__.py").touch()
    (site / "enterprise/enterprise_hooks.py").write_text(HOOKS)
    usual = {"router": "length", "threshold": 0.6}
    other_way = {"strong": "gpt-4o-mini", "weak": "gpt-4o"}
    config = {
        "model_list": [
            entry("gpt-4o"),
            entry("gpt-4o-mini"),
            alias("gpt-4o-router", **usual),
            alias("reversed-router", **usual, **other_way),
            {**alias("router-*"), "litellm_params": entry("gpt-4o-mini")["litellm_params"]},
        ],
        "router_settings": {"num_retries": 0, "disable_cooldowns": True},
        "litellm_settings": {"callbacks": [HANDLER]},
    }
    path = os.pathsep.join([str(site), plugin_path])
    with with_database(proxy_with, config, path) as (process,):
        yield process


@dataclass
class Client:
    """Asks for files and batches with one key."""

    proxy: ProxyProcess
    key: str = KEY

    def ask(self, method: str, path: str, **body: Any) -> httpx.Response:
        url, headers = f"{self.proxy.url}/v1/{path}", {"Authorization": f"Bearer {self.key}"}
        return httpx.request(method, url, headers=headers, timeout=60, **body)

    def done(self, method: str, path: str, **body: Any) -> httpx.Response:
        answer = self.ask(method, path, **body)
        assert answer.status_code == 200, answer.text
        return answer

    def file(self, model: str) -> str:
        """Return the id of a new file for a model."""
        form = {"purpose": "batch", "target_model_names": model}
        sent = self.done("POST", "files", data=form, files={"file": ("a.jsonl", LINE)})
        return str(sent.json()["id"])

    def batch(self, file: str) -> httpx.Response:
        body = {"endpoint": "/v1/chat/completions", "completion_window": "24h"}
        return self.ask("POST", "batches", json={"input_file_id": file, **body})

    def batch_for(self, model: str) -> str:
        """Return the id of a new batch for a model."""
        answer = self.batch(self.file(model))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])


def asked(upstreams: dict[str, OtherEndpoints]) -> dict[str, list[str]]:
    """Return what each upstream was asked since it was last looked at, without ids of batches."""
    found = {
        name: [
            f"{method} {re.sub('batch_[0-9a-f]+', 'ID', path)}" for method, path, _ in each.asked
        ]
        for name, each in upstreams.items()
    }
    for upstream in upstreams.values():
        upstream.asked.clear()
    return found


def life_of_a_batch(client: Client, model: str) -> list[object]:
    """Do all that a client does about a batch, and return what it saw of it."""
    file = client.file(model)
    batch = client.batch(file).json()
    seen = [client.done("GET", f"batches/{batch['id']}").json()["status"]]
    listed = client.done("GET", "batches").json()["data"]
    seen.append([each["status"] for each in listed if each["id"] == batch["id"]])
    seen.append(client.done("POST", f"batches/{batch['id']}/cancel").json()["status"])
    seen.append(client.done("GET", f"batches/{batch['id']}").json()["status"])
    seen.append(client.done("GET", f"files/{file}").json()["status"])
    seen.append(client.done("GET", f"files/{file}/content").json()["object"])
    seen.append(client.done("DELETE", f"files/{client.file(model)}").json()["object"])
    return seen


@pytest.mark.parametrize("named", ["gpt-4o-router", "reversed-router", "router-length-0.6"])
def test_a_batch_of_an_alias_is_one_of_its_weak_group(
    proxy: ProxyProcess, upstreams: dict[str, OtherEndpoints], named: str
) -> None:
    weak = ALIASES.get(named, "gpt-4o-mini")
    asked(upstreams)
    seen = life_of_a_batch(Client(proxy), weak)
    to_group = asked(upstreams)
    assert seen[2] == "cancelling", seen
    assert [name for name in to_group if to_group[name]] == [weak]
    assert life_of_a_batch(Client(proxy), named) == seen
    assert asked(upstreams) == to_group


def test_a_key_of_the_alias_alone_is_enough(
    proxy: ProxyProcess, upstreams: dict[str, OtherEndpoints]
) -> None:
    client = Client(proxy, key(proxy, models=["gpt-4o-router"]))
    asked(upstreams)
    assert life_of_a_batch(client, "gpt-4o-router")[2] == "cancelling"
    assert not asked(upstreams)["gpt-4o"]
    for other in ("gpt-4o-mini", "reversed-router"):
        form = {"purpose": "batch", "target_model_names": other}
        sent = client.ask("POST", "files", data=form, files={"file": ("a.jsonl", LINE)})
        assert sent.status_code in (401, 403), sent.text
    assert not any(asked(upstreams).values())


def member(proxy: ProxyProcess, name: str) -> Client:
    """Return a client of a team of its own."""
    models = ["gpt-4o-router", "reversed-router", "gpt-4o", "gpt-4o-mini"]
    team = made(proxy, "team/new", team_alias=name, models=models)["team_id"]
    return Client(proxy, key(proxy, team_id=team, user_id=name, models=models))


def test_a_batch_is_for_its_team_alone(
    proxy: ProxyProcess, upstreams: dict[str, OtherEndpoints]
) -> None:
    mine, theirs = member(proxy, "mine"), member(proxy, "theirs")
    for model in ("gpt-4o-mini", "gpt-4o-router"):
        file = mine.file(model)
        batch = mine.batch(file).json()["id"]
        asked(upstreams)
        refusals = [
            theirs.ask("GET", f"batches/{batch}"),
            theirs.ask("POST", f"batches/{batch}/cancel"),
            theirs.batch(file),
            theirs.ask("GET", f"files/{file}/content"),
            theirs.ask("DELETE", f"files/{file}"),
        ]
        assert {answer.status_code for answer in refusals} == {403}, [r.text for r in refusals]
        assert not any(asked(upstreams).values())
        mine.done("POST", f"batches/{batch}/cancel")


def unified(readable: str) -> str:
    return base64.urlsafe_b64encode(readable.encode()).decode().rstrip("=")


def readable(unified: str) -> str:
    return base64.urlsafe_b64decode(unified + "=" * (-len(unified) % 4)).decode()


def entries(proxy: ProxyProcess) -> dict[str, str]:
    """Return the id of each alias's entry."""
    listed = get(proxy, "model/info")["data"]
    return {e["model_name"]: e["model_info"]["id"] for e in listed if e["model_name"] in ALIASES}


def test_made_up_ids_lead_nowhere(
    proxy: ProxyProcess, upstreams: dict[str, OtherEndpoints]
) -> None:
    client, ids = member(proxy, "forger"), entries(proxy)
    own = readable(client.batch_for("gpt-4o-router"))
    assert ids["gpt-4o-router"] in own
    raw = own.rpartition("llm_batch_id:")[2]
    file = readable(client.file("gpt-4o-router"))
    asked(upstreams)
    forged = [
        own.replace(ids["gpt-4o-router"], ids["reversed-router"]),
        own.replace(raw, "batch_999"),
        own.replace(ids["gpt-4o-router"], "gpt-4o-router"),
    ]
    for batch in map(unified, forged):
        for method, path in (("GET", ""), ("POST", "/cancel")):
            answer = client.ask(method, f"batches/{batch}{path}")
            assert answer.status_code == 404, answer.text
    other = unified(file.replace(ids["gpt-4o-router"], ids["reversed-router"]))
    answers = [
        client.batch(other),
        client.ask("GET", f"files/{other}/content"),
        client.ask("DELETE", f"files/{other}"),
    ]
    assert {answer.status_code for answer in answers} == {404}, [a.text for a in answers]
    assert not any(asked(upstreams).values())


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_request_for_an_answer_is_never_taken_for_one_about_a_batch(
    proxy: ProxyProcess, upstreams: dict[str, OtherEndpoints], endpoint: str
) -> None:
    batch, file = (Client(proxy).batch_for("gpt-4o-router"), Client(proxy).file("gpt-4o-router"))
    asked(upstreams)
    for text in ("files-api-fake-text", "batch-api-fake-text"):
        for model in entries(proxy).values():
            body = body_of(endpoint, model, text, batch_id=batch, input_file_id=file)
            answer = post(proxy, f"v1/{endpoint}", body)
            assert answer.status_code == 400, answer.text
            assert "leads to a routed alias: ask for the alias by name" in answer.text
    assert not any(asked(upstreams).values())


def test_vector_stores_that_litellm_manages_are_refused(
    proxy: ProxyProcess, upstreams: dict[str, OtherEndpoints]
) -> None:
    client = Client(proxy)
    client.done("POST", "vector_stores", json={"name": "x", "target_model_names": "gpt-4o-mini"})
    asked(upstreams)
    body = {"name": "x", "target_model_names": "gpt-4o-router"}
    answer = client.ask("POST", "vector_stores", json=body)
    assert answer.status_code == 400
    assert "'gpt-4o-router' routes chat completions" in answer.json()["detail"]
    assert "name a model group instead" in answer.json()["detail"]
    assert not any(asked(upstreams).values())
