"""A program of others reads the site's AsyncAPI document: it is valid, whole, and names no event of a test."""

import json
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from eventbus.schemas.site_events import site_events
from tests.eventbus import bus_app
from tests.eventbus.contracts.golden import path_of
from tests.eventbus.test_commands import run

FOLDER = Path(__file__).with_name("asyncapi")
KAFKA = "eventbus.backends.kafka.backend.KafkaBackend"


@pytest.fixture(params=["memory", "kafka"])
def document(request: pytest.FixtureRequest, settings: Any) -> dict[str, Any]:
    """The document of a site in memory, and of one over Kafka. No broker is asked."""
    if request.param == "kafka":
        options = {"servers": "127.0.0.1:1", "prefix": "shop.", "replication": 3}
        settings.EVENTBUS = {**settings.EVENTBUS, "BACKEND": KAFKA, "OPTIONS": options}
    told: dict[str, Any] = json.loads(run("eventbus", "asyncapi")[1])
    return told


@cache
def official() -> Draft7Validator:
    """AsyncAPI's own schema, which is as it was published."""
    raw = (FOLDER / "3.0.0.json").read_bytes()
    assert sha256(raw).hexdigest() in (FOLDER / "README.md").read_text()
    return Draft7Validator(json.loads(raw))


def test_it_is_a_valid_document(document: dict[str, Any]) -> None:
    assert [error.message for error in official().iter_errors(document)] == []


def test_it_has_the_events_of_the_site_and_none_of_a_test(document: dict[str, Any]) -> None:
    assert bus_app.Noted.wire_type() not in document["components"]["messages"]
    assert set(document["components"]["messages"]) == set(site_events())
    assert set(document["channels"]) == {one.topic for one in site_events().values()}
    groups = {name.partition(".")[0] for name in document["operations"]} - {"publish"}
    assert {"orders", "mail"} <= groups and not any(name.startswith("house") for name in groups)


def test_an_event_has_its_data_its_key_and_its_readers(document: dict[str, Any]) -> None:
    schema = document["components"]["schemas"]["order.placed.v1"]
    message = document["components"]["messages"]["order.placed.v1"]

    payload = json.loads(path_of("order.placed.v1").read_text())
    assert list(Draft202012Validator({**document, **schema}).iter_errors(payload)) == []
    assert message["bindings"]["kafka"]["key"]["description"].startswith("The value of order_id")
    handled = document["operations"]["products.orders"]
    assert handled["action"] == "receive"
    assert {"$ref": "#/channels/orders/messages/order.placed.v1"} in handled["messages"]
