"""The Kubernetes example: valid by the published schemas, and true to what the worker really offers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from jupyter_flows import cli
from jupyter_flows.engine.health import HealthServer

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "kubernetes"
FILES = sorted(EXAMPLE.glob("*.yaml"))


def documents() -> list[dict[str, Any]]:
    return [document for file in FILES for document in yaml.safe_load_all(file.read_text())]


def one(kind: str, name: str) -> dict[str, Any]:
    (found,) = (
        document
        for document in documents()
        if (document["kind"], document["metadata"]["name"]) == (kind, name)
    )
    return found


@pytest.mark.parametrize(
    "document", documents(), ids=lambda document: f"{document['kind']}-{document['metadata']['name']}"
)
def test_each_object_is_valid_by_the_published_schema(document: dict[str, Any]) -> None:
    kubernetes_validate.validate(document, "1.30", strict=True)


def test_a_wrong_object_would_be_seen() -> None:
    wrong = one("Deployment", "flows-worker")
    wrong["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, "1.30", strict=True)


def test_the_worker_is_started_and_asked_as_it_expects() -> None:
    pod = one("Deployment", "flows-worker")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    options = cli._parser().parse_args(container["args"])
    assert options.command == "worker"
    assert options.grace + 10 <= pod["terminationGracePeriodSeconds"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert options.health_port == ports["health"]
    known = HealthServer(None, list, list)._probes  # type: ignore[arg-type]
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        assert container[probe]["httpGet"]["path"] in known
        assert container[probe]["httpGet"]["port"] == "health"


def test_all_refer_to_what_is_there() -> None:
    deployment = one("Deployment", "flows-worker")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    assert one("PodDisruptionBudget", "flows-worker")["spec"]["selector"]["matchLabels"] == labels
    target = one("HorizontalPodAutoscaler", "flows-worker")["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", "flows-worker")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert "cpu" in container["resources"]["requests"], "the autoscaler measures against what is requested"
    secret = one("Secret", "flows-store")["stringData"]
    references = [variable["valueFrom"]["secretKeyRef"] for variable in container["env"]]
    assert {reference["key"] for reference in references} <= secret.keys()
    assert {variable["name"] for variable in container["env"]} == {"JUPYTER_FLOWS_STORE", "JUPYTER_FLOWS_KEY"}
