"""A rider's own program is told too: signed, once, tried again, and never inside the site's network."""

import json
import logging
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from eventbus.models import DeadLetter
from stations.alerts.webhooks import PAUSES, is_allowed
from stations.models import Alert
from tests.stations.alerts.conftest import NEW, Town
from tests.webhook_receiver import Receiver

Asks = Callable[..., Alert]
PAGE = (Path(__file__).parents[3] / "docs/alerts.md").read_text()
[CHECK] = re.findall(r"```python signature\n(.*?)```", PAGE, re.DOTALL)  # what the page lets a receiver type


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.STATIONS_PRIVATE_WEBHOOKS = True
    receiver = Receiver()
    yield receiver
    receiver.close()


def test_a_program_is_told_once_and_can_check_who_tells_it(town: Town, asks: Asks, receiver: Receiver) -> None:
    alert = asks(webhook=receiver.url)
    town.poll(bikes=2)
    town.poll(bikes=1)

    [(headers, body)] = receiver.posts
    told = json.loads(body)
    receivers: dict[str, Any] = {}
    exec(CHECK, receivers)
    assert receivers["is_from_the_site"](headers["Mcommerce-Signature"], body, alert.secret)
    assert not receivers["is_from_the_site"](headers["Mcommerce-Signature"], body + b" ", alert.secret)
    assert (told["type"], told["threshold"], told["counted"], told["place"]) == ("station.bikes", 3, 2, "BELLECOUR")
    assert headers["Mcommerce-Alert"] == told["id"]
    assert alert.secret.encode() not in body
    assert b"rider@example.com" not in body


def test_the_address_of_a_program_stands_in_no_log(
    town: Town, asks: Asks, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    asks(webhook=receiver.url.replace("/hook?", "/T0/hidden-path?"))
    town.poll(bikes=2)

    assert len(receiver.posts) == 1
    assert "hidden-path" not in caplog.text


def test_a_program_that_fails_is_asked_again_then_given_up_and_calls_no_operator(
    town: Town, asks: Asks, browser: Client, receiver: Receiver
) -> None:
    receiver.status = 500
    asks(webhook=receiver.url)
    town.poll(bikes=2)
    assert len(receiver.posts) == 1
    assert "refused with status 500" in browser.get(reverse("stations:alerts")).content.decode()

    for number, pause in enumerate(PAUSES, start=2):
        town.wait(seconds=pause / timedelta(seconds=1))
        assert len(receiver.posts) == number
    town.wait(hours=1)

    assert len({json.loads(body)["id"] for _headers, body in receiver.posts}) == 1
    assert len(receiver.posts) == 1 + len(PAUSES)
    assert not DeadLetter.objects.exists()


@pytest.mark.parametrize(
    "address",
    [
        *(
            "http://example.com/",
            "https://127.0.0.1/",
            "https://10.0.0.1/",
            "https://[::1]/",
            "https://169.254.169.254/",
        ),
        *(
            "https://localhost/",
            "https://db:5432/",
            "https://ada:secret@example.com/",
            "ftp://example.com/",
            "https:///",
        ),
        *("https://exa mple.com/", "https://example.com:port/", "javascript:alert(1)", "https://[::ffff:10.0.0.1]/"),
    ],
)
def test_an_address_inside_a_network_is_refused(town: Town, browser: Client, address: str) -> None:
    answer = browser.post(NEW, {"kind": "closed", "webhook": address})

    assert list(answer.context["form"].errors) == ["webhook"]
    assert is_allowed("https://example.com/hook?key=1")


def test_a_name_that_leads_into_a_network_is_not_asked(
    town: Town, asks: Asks, receiver: Receiver, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name passes the form. Its address is looked up with the post."""
    port = receiver.url.split(":")[2].split("/")[0]
    monkeypatch.setattr(
        "socket.getaddrinfo", lambda host, port, *more, **named: [(2, 1, 6, "", ("127.0.0.1", int(port)))]
    )
    settings.STATIONS_PRIVATE_WEBHOOKS = False
    asks(webhook=f"https://inner.example.com:{port}/")

    town.poll(bikes=2)

    assert "inside a private network" in Alert.objects.get().webhook_error


def test_a_program_is_left_alone_in_quiet_hours(town: Town, asks: Asks, receiver: Receiver) -> None:
    asks(webhook=receiver.url, quiet_from="13:00", quiet_until="15:00", zone="Europe/Paris")
    town.poll(bikes=2)
    assert receiver.posts == []

    town.wait(hours=1)

    assert len(receiver.posts) == 1
