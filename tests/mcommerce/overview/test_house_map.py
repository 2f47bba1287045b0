"""Staff see on one drawing who publishes what and which group handles it, and read about each event."""

import json
import re

import pytest
from django.test import Client
from django.urls import reverse
from jsonschema import Draft202012Validator

from eventbus import clock
from eventbus.models import ConsumerGroup
from eventbus.reports import catalogue, groups
from eventbus.schemas.site_events import site_events
from mcommerce.overview.house_map import Drawing, drawing
from tests.schema_validation import formats

PAGE = "/eventbus/map/"

pytestmark = pytest.mark.django_db(transaction=True)


def drawn() -> Drawing:
    return drawing(catalogue.entries(), groups.report().groups)


def titles(found: Drawing) -> set[str]:
    return {line.title for line in found.lines}


@pytest.mark.needs_app("mcommerce.orders")
def test_a_line_leads_from_the_publisher_to_the_event_and_on_to_each_group() -> None:
    found = titles(drawn())

    assert {"orders → order.paid.v1", "order.paid.v1 → products", "order.paid.v1 → mail"} <= found
    assert "products → order.paid.v1" not in found, "products handles it, and publishes no such event"


def test_every_group_and_every_event_is_on_the_map_and_each_event_has_a_publisher() -> None:
    found = drawn()

    assert {node.name for node in found.types} == set(site_events())
    assert {node.name for node in found.groups} == {name for entry in catalogue.entries() for name in entry.groups}
    assert [one.type for one in catalogue.entries() if not one.publishers] == []


def test_a_group_on_the_map_says_its_lag_and_failures_and_leads_to_them(operator: Client) -> None:
    ConsumerGroup.objects.filter(name="stations").update(paused_at=clock.now())

    html = operator.get(PAGE).content.decode()

    [box] = re.findall(r'<a href="/eventbus/groups/#group-stations">.*?</a>', html, re.S)
    assert "bus-map__box--bad" in box and "paused, behind 0, dead 0" in box
    assert "bus-map__line--bad" in html


def test_the_catalogue_leads_to_each_event_with_schema_and_example(operator: Client) -> None:
    html = operator.get(reverse("bus-catalogue")).content.decode()

    for wire_type in site_events():
        assert reverse("bus-catalogue-entry", args=[wire_type]) in html
    page = operator.get(reverse("bus-catalogue-entry", args=["station.changed.v1"])).content.decode()
    assert "stations.events.StationChanged" in page and "https://json-schema.org/" in page


def test_the_example_of_every_event_fits_its_schema() -> None:
    for wire_type in site_events():
        schema = catalogue.schema(wire_type)
        found = json.loads(json.dumps(catalogue.example(wire_type)))
        judge = Draft202012Validator(schema, format_checker=formats)
        assert [error.message for error in judge.iter_errors(found)] == [], wire_type
        assert found == catalogue.example(wire_type), "the same each time"
