"""The alert rules, judged by promtool: each fault fires its alert and no other, and a site that is well fires none."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client

from eventbus.measuring import bus_metrics, series
from mcommerce.monitoring import http_requests, open_sockets, page
from outside import circuit_breaker
from stations.polling import poll_metrics
from tests.eventbus.bus_app import Mended, open_house

DOCS = Path(__file__).parents[3] / "docs"
RULES, DASHBOARD = DOCS / "monitoring" / "alerts.yml", DOCS / "monitoring" / "dashboard.json"

# Series of a site that is well, in promtool's notation: value, step and count of values, five seconds apart.
WELL = {
    'up{job="mcommerce", instance="a"}': "1x60",
    "eventbus_state_readable": "1x60",
    'eventbus_processes{role="relay", state="alive"}': "2x60",
    "eventbus_outbox_oldest_seconds": "0 3 29 0x57",
    "eventbus_outbox_rejected_events": "0x60",
    "eventbus_timers_overdue_seconds": "0x60",
    'eventbus_lag_seconds{group="orders", topic="stock"}': "290x60",
    'eventbus_lag_events{group="orders", topic="stock"}': "9000x60",
    'eventbus_breaker_open{group="orders"}': "0x60",
    'eventbus_paused{group="orders"}': "0x60",
    'stations_polls_total{feed="lyon", outcome="ok"}': "0+1x60",
    'stations_polls_total{feed="lyon", outcome="too_slow"}': "0+1x60",
    'outside_breaker_open{service="sandbox provider"}': "0x60",
    'mcommerce_ready{part="disk", instance="a"}': "1x60",
    'mcommerce_ready{part="tables", instance="a"}': "1x60",
    'mcommerce_ready{part="broker", instance="a"}': "1x60",
    'mcommerce_http_requests_total{route="shop", status="2xx"}': "0+100x60",
    'mcommerce_http_requests_total{route="shop", status="5xx"}': "0+1x60",
}
# By the alert that it fires: what the fault changes in these series.
FAULTS: dict[str, dict[str, str]] = {
    "NoMetrics": {'up{job="mcommerce", instance="a"}': "0x60"},
    "DatabaseUnreadable": {"eventbus_state_readable": "0x60"},
    "NobodyRelays": {'eventbus_processes{role="relay", state="alive"}': "0x60"},
    "ProcessSilent": {'eventbus_processes{role="handle", state="silent"}': "1x60"},
    "OutboxOld": {"eventbus_outbox_oldest_seconds": "0+5x60"},
    "EventsRejected": {"eventbus_outbox_rejected_events": "1x60"},
    "TimersOverdue": {"eventbus_timers_overdue_seconds": "0+5x60"},
    "GroupBehind": {'eventbus_lag_seconds{group="orders", topic="stock"}': "150+5x60"},
    "BreakerOpen": {
        'eventbus_breaker_open{group="orders"}': "1x60",
        'eventbus_lag_seconds{group="orders", topic="stock"}': "150+5x60",
    },
    "DeadLetters": {'eventbus_dead_letters{group="orders", type="stock.reserved.v1"}': "3x60"},
    "HandlerFails": {'mcommerce_fault{kind="retrying", about="orders"}': "1x60"},
    "FeedDown": {
        'outside_breaker_open{service="feed lyon"}': "1x60",
        'mcommerce_fault{kind="feed", about="lyon"}': "1x60",
    },
    "WebhooksRefused": {'mcommerce_fault{kind="webhook", about="sandbox"}': "1x60"},
    "ReplayFails": {'mcommerce_fault{kind="replay", about="orders"}': "1x60"},
    "NoticesFail": {'mcommerce_fault{kind="notices", about="webhook"}': "1x60"},
    "ServiceAway": {'outside_breaker_open{service="sandbox provider"}': "2x60"},
    "DiskFull": {'mcommerce_ready{part="disk", instance="a"}': "0x60"},
    "TableLocked": {'mcommerce_ready{part="tables", instance="a"}': "0x60"},
    "BrokersAway": {'mcommerce_ready{part="broker", instance="a"}': "0x60"},
    "OtherFault": {'mcommerce_fault{kind="restore", about=""}': "1x60"},
    "RequestsFail": {'mcommerce_http_requests_total{route="shop", status="5xx"}': "0+20x60"},
}
NO_FAULTS = {
    "a group that is paused": {
        'eventbus_paused{group="orders"}': "1x60",
        'eventbus_lag_seconds{group="orders", topic="stock"}': "150+5x60",
    },
    "a feed that fails now and then": {'stations_polls_total{feed="lyon", outcome="too_slow"}': "0+3x60"},
    "a process that leaves": {'mcommerce_fault{kind="leaving", about=""}': "1x60"},
    "a process that has just restarted": {'up{job="mcommerce", instance="a"}': "1x10 0x3 1x50"},
}

DECLARE = (http_requests, open_sockets, bus_metrics, circuit_breaker, poll_metrics)  # metrics, where they count


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("promtool is missing (Debian: apt install prometheus)")
    return str(found)


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def case(name: str, changed: dict[str, str], fires: str) -> dict[str, Any]:
    told = [{"labels": f'{{alertname="{fires}"}}', "value": 1}] if fires else []
    return {
        "name": name,
        "interval": "5s",
        "input_series": [{"series": one, "values": values} for one, values in (WELL | changed).items()],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (max by (alertname) (ALERTS{alertstate="firing"}))',
                "eval_time": "4m30s",
                "exp_samples": told,
            }
        ],
    }


def test_each_fault_fires_its_alert_and_no_other(promtool: str, tmp_path: Path) -> None:
    cases = [case(alert, changed, alert) for alert, changed in FAULTS.items()]
    cases += [case(name, changed, "") for name, changed in (NO_FAULTS | {"a site that is well": {}}).items()]
    file = tmp_path / "test.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "5s", "tests": cases}))

    judged = subprocess.run([promtool, "test", "rules", str(file)], capture_output=True, text=True, check=False)

    assert judged.returncode == 0, judged.stdout + judged.stderr


def test_every_alert_has_a_fault_that_fires_it_and_a_section_of_the_runbook() -> None:
    headings = re.findall(r"^## (.+)$", (DOCS / "runbook.md").read_text(), re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}

    assert {rule["alert"] for rule in rules()} == set(FAULTS)
    for rule in rules():
        page_name, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert page_name == "docs/runbook.md"
        assert anchor in anchors or rule["alert"] == "OtherFault" and not anchor, rule[
            "alert"
        ]  # which is of many kinds


def names_in(expressions: str) -> set[str]:
    return set(re.findall(r"\b(?:eventbus|mcommerce|stations|outside)_\w+", expressions))


def test_alerts_and_dashboard_name_metrics_that_the_site_exports(db: None) -> None:
    page.bus_state.forget()
    exported = {metric.name for metric in page.registry.collect()}
    for one in series.declared():
        ends = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(one.metric._type, [""])
        exported |= {f"{one.metric._name}{end}" for end in ends}
    board = json.loads(DASHBOARD.read_text())
    shown = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]

    asked = names_in(" ".join(rule["expr"] for rule in rules())) | names_in(" ".join(shown))

    assert asked - exported == set()
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_promtool_finds_nothing_wrong_in_the_answer(promtool: str, transactional_db: None, client: Client) -> None:
    with open_house() as house:
        house.handler(call=Mended("a"))
        house.say(("a", 1), ("b", 2))
        house.settle()
        client.get("/health/live")
        page.bus_state.forget()
        answer = client.get("/metrics")

    judged = subprocess.run([promtool, "check", "metrics"], input=answer.content, capture_output=True, check=False)

    assert judged.returncode == 0, judged.stdout.decode() + judged.stderr.decode()
