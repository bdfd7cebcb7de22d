"""Alert rules and dashboard ask only for what /metrics gives."""

import json
import re
from pathlib import Path

import pytest
import yaml
from classifier.config import Settings
from classifier.serving.app import create_app
from prometheus_client.parser import text_string_to_metric_families

FOLDER = Path(__file__).parents[2] / "service/monitoring"
NAME = re.compile(r"\bfrontdesk_\w+")
SELECTOR = re.compile(r"(frontdesk_\w+)\{([^}]*)\}")
GROUPING = re.compile(r"\b(?:by|on|ignoring|group_left) \(([^)]*)\)")
FROM_PROMETHEUS = {"instance", "job"}


def alert_rules():
    groups = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions():
    panels = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
    shown = [target["expr"] for panel in panels for target in panel["targets"]]
    return [*(rule["expr"] for rule in alert_rules()), *shown]


@pytest.fixture(scope="module")
def given(bundle_dir, tmp_path_factory):
    """The labels of each name that /metrics gives."""
    about = tmp_path_factory.mktemp("tls") / "about.json"
    about.write_text('{"not_after": 1800000000}')
    client = create_app(Settings(bundle_dir, certificate_path=about)).test_client()
    headers = {"X-Request-Start": "900000000000.000"}
    client.post("/v1/classify", json={"text": "the dog"}, headers=headers)
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


@pytest.mark.parametrize("expression", expressions())
def test_every_name_and_label_is_one_that_metrics_has(given, expression):
    names = set(NAME.findall(expression))
    assert names <= given.keys()
    for name, selector in SELECTOR.findall(expression):
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector))
        assert labels <= given[name] | FROM_PROMETHEUS
    known = FROM_PROMETHEUS.union(*(given[name] for name in names))
    for labels in GROUPING.findall(expression):
        assert set(re.findall(r"\w+", labels)) <= known


@pytest.mark.parametrize("expression", expressions())
def test_every_bracket_is_closed(expression):
    assert [expression.count(left) for left in "([{"] == [expression.count(r) for r in ")]}"]


@pytest.mark.parametrize("rule", alert_rules(), ids=lambda rule: rule["alert"])
def test_every_alert_says_what_is_wrong_and_what_to_do(rule):
    assert rule["annotations"].keys() == {"summary", "do"}
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert rule["for"]


def test_every_number_is_shown_or_watched(given):
    asked = {name for expression in expressions() for name in NAME.findall(expression)}

    def family(name):
        return re.sub(r"_(bucket|count|sum|total|created)$", "", name)

    assert {family(name) for name in given} <= {family(name) for name in asked}
