"""The alert rules: promtool takes them, they fire when they should, and speak of metrics that there are."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from chassis import observe
from contracts.topology import EVENTS, SERVICES

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "prometheus"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"] for rule in group["rules"]
]
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")


@needs_promtool
@pytest.mark.parametrize(
    "command",
    [("check", "config", "prometheus.yml"), ("check", "rules", "rules.yml"), ("test", "rules", "rules_test.yml")],
    ids=["config", "rules", "behaviour"],
)
def test_promtool_takes_them(command: tuple[str, ...]) -> None:
    done = subprocess.run(["promtool", *command], cwd=FOLDER, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_test_that_sees_it_fire() -> None:
    tests = yaml.safe_load((FOLDER / "rules_test.yml").read_text())["tests"]
    fired = {case["alertname"] for test in tests for case in test["alert_rule_test"] if case.get("exp_alerts")}
    assert fired == {rule["alert"] for rule in RULES}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_speaks_of_metrics_labels_and_events_that_there_are(rule: dict[str, Any]) -> None:
    metrics = {
        sample: metric
        for metric in vars(observe).values()
        if isinstance(metric, MetricWrapperBase)
        for sample in (metric._name, f"{metric._name}_total")
    }
    types = {declared.event.TYPE for declared in EVENTS}
    used = re.findall(r"(xinqiao_\w+)(?:\{([^}]*)\})?", rule["expr"])
    assert used or "up{" in rule["expr"]
    for name, selector in used:
        assert name in metrics, name
        for label, value in re.findall(r'(\w+)[=!~]+"([^"]*)"', selector):
            assert label in metrics[name]._labelnames, f"{name} has no label {label}"
            assert label != "event" or value in types, value


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_what_is_wrong_and_where_to_read_on(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["summary"]
    file, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / file).read_text(), re.MULTILINE)
    assert anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_service_is_read_under_its_name() -> None:
    jobs = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    read = {entry["labels"]["service"]: entry["targets"] for job in jobs for entry in job["static_configs"]}
    assert read == {service: [f"{service}:8080"] for service in SERVICES}
