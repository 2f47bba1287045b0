"""The page about monitoring names every metric, with its type and its labels, and no other."""

import re
from pathlib import Path

import yaml
from prometheus_client import Metric

from eventbus.measuring import bus_metrics, series
from mcommerce.monitoring import http_requests, open_sockets, page
from mcommerce.monitoring.server_state import ServerState
from outside import circuit_breaker
from stations.polling import poll_metrics
from tests.eventbus.bus_app import open_house
from tests.settings_source import SOURCE, settings_in

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "monitoring.md"
BLOCKS = re.findall(r"^```(?:yaml|sh)\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
ROW = re.compile(r"^\| `(\w+)` \| (\w+) \|([^|]*)\| [^|]+ \|$", re.MULTILINE)

DECLARE = (http_requests, open_sockets, bus_metrics, circuit_breaker, poll_metrics)  # metrics, where they count


def test_the_page_names_every_metric_with_its_labels(transactional_db: None) -> None:
    told = {name: (kind, re.findall(r"`(\w+)`", labels)) for name, kind, labels in ROW.findall(PAGE.read_text())}

    with open_house() as house:
        house.handler()
        house.say(("a", 1))
        page.bus_state.forget()
        read = [*page.bus_state.collect(), *ServerState().collect()]
    told_anew = {one.name: (one.type, list(one._labelnames)) for one in read}
    counted = {_name(one.metric): (one.metric._type, list(one.metric._labelnames)) for one in series.declared()}

    assert told == told_anew | {name: one for name, one in counted.items() if not name.startswith("house_")}


def _name(metric: Metric) -> str:
    return f"{metric._name}_total" if metric._type == "counter" else str(metric._name)


def test_what_the_page_lets_an_operator_write_names_what_is_there() -> None:
    scrape, rules, traces = BLOCKS
    [job], [file] = yaml.safe_load(scrape)["scrape_configs"], yaml.safe_load(rules)["rule_files"]
    [requirements] = re.findall(r"-r (\S+)", traces)

    assert job["static_configs"] == [{"targets": ["127.0.0.1:8000"]}]
    assert (ROOT / file.removeprefix("/opt/mcommerce/")).exists()
    assert (ROOT / requirements).exists()
    assert set(re.findall(r"export (\w+)=", traces)) <= settings_in(SOURCE).keys()
