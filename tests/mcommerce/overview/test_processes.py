"""Staff see each process and the settings of the one that answers, and never a secret."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from eventbus import clock
from eventbus.models import ProcessRow
from mcommerce.overview.processes import SHOWN

PAGE = "/eventbus/processes/"
SECRET = "hunter2-never-seen"

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(staff_with: Callable[..., Client], live_process: ProcessRow) -> Client:
    return staff_with("view_processrow")


def test_a_process_shows_its_role_host_partitions_and_heartbeat(client: Client, live_process: ProcessRow) -> None:
    ProcessRow.objects.update(assignment={"mail": ["orders/0", "orders/1"]}, release="2026.12-rc1")

    html = client.get(PAGE).content.decode()

    assert "all here/1" in html and "active" in html and "2026.12-rc1" in html
    assert '<a href="/eventbus/groups/#group-mail">mail</a> (orders/0-1)' in html


def test_a_silent_process_is_marked(client: Client) -> None:
    ProcessRow.objects.update(beat_at=clock.now() - timedelta(seconds=50), host="elsewhere")

    html = client.get(PAGE).content.decode()

    assert "bus-card--bad" in html and "silent" in html


def test_a_setting_names_its_origin(client: Client, settings: Any) -> None:
    settings.SET_BY_ENVIRONMENT = {"SHOP_CURRENCY": True, "ORDER_PAYMENT_MINUTES": False}
    settings.SHOP_CURRENCY = "JPY"

    html = client.get(PAGE).content.decode()

    assert '<th scope="row">SHOP_CURRENCY</th><td>JPY</td><td>environment</td>' in html
    assert f"<td>{settings.ORDER_PAYMENT_MINUTES}</td><td>default</td>" in html


def test_no_value_is_shown_that_is_not_known_to_be_harmless(client: Client, settings: Any) -> None:
    settings.SET_BY_ENVIRONMENT = {**settings.SET_BY_ENVIRONMENT, "NEW_SETTING": True}
    hidden = settings.SET_BY_ENVIRONMENT.keys() - SHOWN
    for name in hidden - {"SECRET_KEY"}:  # which signs the visitor's session
        setattr(settings, name, SECRET)  # as if each were one

    html = client.get(PAGE).content.decode()

    assert SECRET not in html and settings.SECRET_KEY not in html
    assert html.count("••••") == len(hidden)


def test_only_settings_of_the_site_are_shown_and_no_key_or_password_among_them() -> None:
    assert settings.SET_BY_ENVIRONMENT.keys() >= SHOWN
    secret = {name for name in SHOWN if any(word in name for word in ("KEY", "SECRET", "PASSWORD", "TOKEN", "_URL"))}
    assert secret == {"SITE_URL"}
