"""The page about monitoring names every metric, with its type and its labels, and no other."""

import re
from pathlib import Path

from prometheus_client import Metric

from eventbus.measuring import series
from mcommerce.monitoring import page
from tests.eventbus.bus_app import open_house

PAGE = Path(__file__).parents[3] / "docs" / "monitoring.md"
ROW = re.compile(r"^\| `(\w+)` \| (\w+) \|([^|]*)\| [^|]+ \|$", re.MULTILINE)


def test_the_page_names_every_metric_with_its_labels(transactional_db: None) -> None:
    told = {name: (kind, re.findall(r"`(\w+)`", labels)) for name, kind, labels in ROW.findall(PAGE.read_text())}

    with open_house() as house:
        house.handler()
        house.say(("a", 1))
        page.bus_state.forget()
        of_the_bus = {one.name: (one.type, list(one._labelnames)) for one in page.bus_state.collect()}
    counted = {_name(one.metric): (one.metric._type, list(one.metric._labelnames)) for one in series.declared()}

    assert told == of_the_bus | {name: one for name, one in counted.items() if not name.startswith("house_")}


def _name(metric: Metric) -> str:
    return f"{metric._name}_total" if metric._type == "counter" else str(metric._name)
