"""A rider is told by mail, once in each episode, in waking hours, and not again after it was stopped."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import transaction
from django.test import Client
from django.urls import reverse

from eventbus import clock, publish
from eventbus.testing import published_events, settle
from stations.alerts.episodes import REST
from stations.alerts.mail import FRESH
from stations.events import StationAlertDue
from stations.models import Alert, Station
from tests.stations.alerts.conftest import Town

Asks = Callable[..., Alert]


def tell_again(event: StationAlertDue) -> None:
    with transaction.atomic():
        publish(event)
    settle()


def subjects() -> list[str]:
    return [str(one.subject) for one in mail.outbox]


@pytest.mark.parametrize(
    ("kind", "shortage", "subject"),
    [
        ("bikes", {"bikes": 2}, "There are fewer than 3 bikes – BELLECOUR"),
        ("stands", {"stands": 0}, "There are fewer than 3 free stands – BELLECOUR"),
        ("closed", {"status": "CLOSED"}, "The station is closed – BELLECOUR"),
        ("closed", {"gone": True}, "The station is closed – BELLECOUR"),
        ("bikes", {"status": "CLOSED"}, "There are fewer than 3 bikes – BELLECOUR"),
    ],
)
def test_who_asked_is_told_of_a_shortage_once(
    town: Town, asks: Asks, kind: str, shortage: dict[str, Any], subject: str
) -> None:
    asks(kind)
    town.poll(bikes=9)
    assert subjects() == []

    town.poll(**shortage)
    town.wait(minutes=1)

    assert subjects() == [subject]
    assert mail.outbox[0].to == ["rider@example.com"]


def test_a_count_that_moves_around_the_number_is_one_episode(town: Town, asks: Asks) -> None:
    asks()
    for bikes in (2, 3, 2, 4, 1, 3):
        town.poll(bikes=bikes)

    assert len(subjects()) == 1
    assert Alert.objects.get().episode == 1 + len(published_events(StationAlertDue)) == 2


def test_an_episode_ends_well_above_the_number_and_the_next_is_told_after_a_rest(town: Town, asks: Asks) -> None:
    asks()
    for bikes in (2, 5, 2):
        town.poll(bikes=bikes)
    assert len(subjects()) == 1, "not two mails within an hour"

    town.wait(minutes=REST / timedelta(minutes=1))

    assert len(subjects()) == 2, "it is still short when the rest is over"


def test_quiet_hours_are_those_of_the_rider_and_what_is_over_by_then_is_not_told(town: Town, asks: Asks) -> None:
    asks(quiet_from="13:00", quiet_until="15:00", zone="Europe/Paris")  # it is 14:00 there
    asks(quiet_from="13:00", quiet_until="15:00", zone="UTC")  # it is 12:00 there
    town.poll(bikes=2)
    assert len(subjects()) == 1

    town.wait(minutes=50)
    assert len(subjects()) == 1
    town.wait(minutes=10)
    assert len(subjects()) == 2


def test_what_is_so_already_when_one_asks_is_told_the_next_time(town: Town, asks: Asks) -> None:
    town.poll(bikes=2)
    asks()
    town.poll(bikes=1)
    assert subjects() == []

    town.poll(bikes=9)
    town.poll(bikes=2)

    assert len(subjects()) == 1


def test_the_link_of_a_mail_stops_the_alert_for_whoever_presses_its_button(town: Town, asks: Asks) -> None:
    asks()
    town.poll(bikes=2)
    [link] = re.findall(r"http://127\.0\.0\.1:8000(/stations/alerts/stop/\S+)", str(mail.outbox[0].body))
    stranger = Client(headers={"accept-language": "en"})

    assert "Stop this alert</button>" in stranger.get(link).content.decode()
    assert not Alert.objects.get().paused, "a program that follows links stops nothing"
    stranger.post(link)

    assert Alert.objects.get().paused
    town.poll(bikes=9)
    town.poll(bikes=2, minutes=120)
    assert len(subjects()) == 1
    assert stranger.post(link[:-5] + "AAAA/").status_code == 404


@pytest.mark.parametrize("how", ["inactive", "unconfirmed"])
def test_nobody_writes_to_an_account_that_is_closed_or_has_no_confirmed_address(
    town: Town, asks: Asks, rider: Any, how: str
) -> None:
    asks()
    if how == "inactive":
        rider.is_active = False
        rider.save()
    else:
        rider.emailaddress_set.all().delete()

    town.poll(bikes=2)

    assert subjects() == []


def test_a_mail_is_in_the_language_of_the_account(town: Town, asks: Asks, rider: Any) -> None:
    rider.language = "fr"
    rider.save()
    asks()

    town.poll(bikes=2)

    assert subjects() == ["Il y a moins de 3 vélos – BELLECOUR"]


def test_a_message_that_comes_too_late_or_twice_is_not_sent(town: Town, asks: Asks) -> None:
    """After a restore an event may be there again, and after a long failure it tells of another time."""
    asks()
    town.poll(bikes=2)
    [told] = published_events(StationAlertDue)
    tell_again(told)
    Alert.objects.update(told_episode=0, told_at=None)  # as a backup from just before the mail has it
    clock.advance(minutes=FRESH / timedelta(minutes=1) + 1)
    tell_again(told)

    assert len(subjects()) == 1


def test_a_feed_that_is_taken_out_tells_nothing(town: Town, asks: Asks, settings: Any) -> None:
    asks()
    settings.STATIONS_FEEDS = ["jcdecaux:dublin"]

    town.poll(bikes=2)

    assert subjects() == []


def test_figures_that_cannot_be_read_tell_nothing(town: Town, asks: Asks) -> None:
    asks()
    Station.objects.update(bad="counts")
    town.poll(bikes=10, bad="counts")
    assert subjects() == []


def test_who_deletes_the_account_deletes_its_alerts(town: Town, asks: Asks, rider: Any) -> None:
    asks()

    rider.delete()

    assert not Alert.objects.exists()
    town.poll(bikes=2)
    assert subjects() == []


def test_an_alert_ends_by_itself_and_goes_on_when_its_rider_says_so(town: Town, asks: Asks, browser: Client) -> None:
    alert = asks()
    town.wait(days=181)
    town.poll(bikes=2)
    assert subjects() == []
    assert "Expired" in browser.get(reverse("stations:alerts")).content.decode()

    browser.post(reverse("stations:pause_alert", args=[alert.id]), {"action": "resume"})
    town.poll(bikes=9)
    town.poll(bikes=2)

    assert len(subjects()) == 1


def test_what_is_over_when_the_quiet_hours_end_is_not_told(town: Town, asks: Asks) -> None:
    asks(quiet_from="13:00", quiet_until="15:00", zone="Europe/Paris")
    town.poll(bikes=2)
    town.poll(bikes=9)

    town.wait(hours=2)

    assert subjects() == []
