"""Riders make, change, pause and delete their own alerts, and nobody else's; a few of them, and not too often."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError
from django.test import Client
from django.urls import reverse

from eventbus import clock
from stations import limits
from stations.alerts import editing
from stations.models import ALERTS_MAX, Alert, Station
from tests.factories import CustomerFactory
from tests.stations.alerts.conftest import NEW, Town

Asks = Callable[..., Alert]

LIST = "/stations/alerts/"


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


def test_the_page_of_a_station_has_the_form_for_riders_and_a_link_for_others(town: Town, browser: Client) -> None:
    page = "/stations/simulator/lyon-1/"

    for_rider, for_others = text_of(browser.get(page)), text_of(Client(headers={"accept-language": "en"}).get(page))

    assert f'action="{NEW}"' in for_rider
    assert "Sign in, and be told" in for_others
    assert "<form" not in for_others.partition('id="alerts-title"')[2].partition("</section>")[0]


def test_an_alert_is_listed_with_how_it_is_there_now(town: Town, browser: Client, asks: Asks) -> None:
    asks(quiet_from="22:00", quiet_until="06:30", zone="Europe/Paris")
    town.poll(bikes=1)

    listed = text_of(browser.get(LIST))

    assert "There are fewer than 3 bikes" in listed
    assert "Counted now: 1." in listed
    assert "It is so now." in listed
    assert "No message from 22:00 to 06:30 (Europe/Paris)." in listed
    assert "Last mail: 2026-05-04 14:00." in listed, "noon in UTC"


def test_a_rider_changes_pauses_and_deletes_an_alert(town: Town, browser: Client, asks: Asks) -> None:
    alert = asks()
    browser.post(reverse("stations:alert", args=[alert.id]), {"kind": "stands", "threshold": 5})
    browser.post(reverse("stations:pause_alert", args=[alert.id]), {"action": "pause"})

    changed = Alert.objects.get()
    assert (changed.kind, changed.threshold, changed.paused) == ("stands", 5, True)
    assert "Paused" in text_of(browser.get(LIST))
    browser.post(reverse("stations:delete_alert", args=[alert.id]))
    assert not Alert.objects.exists()


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"kind": "bikes", "threshold": ""}, "threshold"),
        ({"kind": "bikes", "threshold": "0"}, "threshold"),
        ({"kind": "bikes", "threshold": "1000"}, "threshold"),
        ({"kind": "weather", "threshold": "3"}, "kind"),
        ({"kind": "bikes", "threshold": "3", "radius_m": "50"}, "radius_m"),
        ({"kind": "bikes", "threshold": "3", "radius_m": "200000"}, "radius_m"),
        ({"kind": "bikes", "threshold": "3", "quiet_from": "22:00"}, "quiet_until"),
        ({"kind": "bikes", "threshold": "3", "zone": "Moon/Tranquillity"}, "zone"),
    ],
    ids=str,
)
def test_a_form_that_is_wrong_says_where(town: Town, browser: Client, form: dict[str, str], field: str) -> None:
    answer = browser.post(NEW, form)

    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert not Alert.objects.exists()


def test_an_account_has_a_few_alerts(town: Town, browser: Client, asks: Asks) -> None:
    made = [asks() for _ in range(ALERTS_MAX)]

    refused = browser.post(NEW, {"kind": "bikes", "threshold": 3})

    assert "You have as many alerts as we keep." in text_of(refused)
    made[3].delete()
    asks()
    assert Alert.objects.count() == ALERTS_MAX


def test_two_forms_at_once_make_no_alert_beyond_the_limit(town: Town, asks: Asks, rider: Any) -> None:
    alert = asks()

    with pytest.raises(IntegrityError):
        Alert.objects.create(owner=alert.owner, slot=alert.slot, kind="closed", expires_at=clock.now())


def test_who_sends_too_many_forms_is_asked_to_wait(town: Town, browser: Client, asks: Asks) -> None:
    alert = asks()
    for _ in range(limits.ALERTS_PER_ACCOUNT - 1):
        browser.post(reverse("stations:alert", args=[alert.id]), {"kind": "closed"})

    refused = browser.post(reverse("stations:alert", args=[alert.id]), {"kind": "bikes", "threshold": 2})

    assert refused.status_code == 422
    assert Alert.objects.get().kind == "closed"


def test_an_account_without_a_confirmed_address_gets_no_alert(town: Town, browser: Client, rider: Any) -> None:
    rider.emailaddress_set.all().delete()

    answer = browser.post(NEW, {"kind": "bikes", "threshold": 3})

    assert "no confirmed e-mail address" in text_of(answer)
    assert not Alert.objects.exists()


def test_where_bikes_stand_anywhere_nobody_asks_for_stands(town: Town, browser: Client) -> None:
    Station.objects.update(stands=None)

    assert browser.post(NEW, {"kind": "stands", "threshold": 3}).status_code == 422


def test_a_changed_alert_tells_no_episode_of_before(town: Town, asks: Asks, mailoutbox: Any) -> None:
    alert = asks(quiet_from="13:00", quiet_until="15:00", zone="Europe/Paris")
    town.poll(bikes=1)
    alert.refresh_from_db()
    editing.change(alert, now=clock.now())

    town.wait(hours=2)

    assert mailoutbox == []


def test_two_stations_of_a_circle_are_counted_together(town: Town, asks: Asks, mailoutbox: Any) -> None:
    CustomerFactory(email="other@example.com")
    town.poll(number=2, bikes=4, lat=45.7587)  # a hundred metres north
    asks(threshold=6, radius_m=300)
    town.poll(bikes=2)
    town.poll(number=2, bikes=4, lat=45.7587)
    assert mailoutbox == [], "two and four are six"

    town.poll(number=2, bikes=3, lat=45.7587)

    assert [one.subject for one in mailoutbox] == ["There are fewer than 6 bikes – 300 m around BELLECOUR"]
    assert "Counted now: 5." in mailoutbox[0].body
