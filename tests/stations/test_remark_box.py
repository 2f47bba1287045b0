"""Everybody may leave a remark, until staff close the box."""

from html import unescape

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

from stations.limits import network_of
from stations.models import Remark
from tests.stations.socket_client import key, polled, state

pytestmark = pytest.mark.django_db(transaction=True)

LEAVE, SWITCH = "/stations/producer/remark/", "/stations/producer/remarks/"
JSON = {"accept": "application/json"}


@pytest.fixture(autouse=True)
def _closed_to_the_public(settings) -> None:
    settings.STATIONS_PRODUCER_OPEN = False
    polled({key(): state()})


@pytest.fixture
def moderator() -> Client:
    ada = get_user_model().objects.create_user(email="ada@example.com", is_staff=True)
    ada.user_permissions.set(Permission.objects.filter(codename__in=("view_pollplan", "delete_remark")))
    browser = Client()
    browser.force_login(ada)
    return browser


def dashboard() -> str:
    return unescape(Client().get("/stations/", headers={"accept-language": "en"}).content.decode())


def test_a_visitor_leaves_a_remark_from_the_dashboard_and_sees_it_there():
    assert LEAVE in dashboard()

    answer = Client().post(LEAVE, {"name": "", "message": "The pump works"})

    assert (answer.status_code, answer["Location"]) == (302, "/stations/")
    assert "The pump works" in dashboard()


def test_a_closed_box_takes_nothing_and_opens_again(moderator: Client):
    assert moderator.post(SWITCH, {"action": "close"}).status_code == 302

    assert LEAVE not in dashboard()
    assert "The remark box is closed." in dashboard()
    refused = Client().post(LEAVE, {"message": "Hello"}, headers=JSON)
    assert (refused.status_code, Remark.objects.count()) == (403, 0)
    assert LogEntry.objects.get().change_message == "Closed."

    moderator.post(SWITCH, {"action": "open"})
    assert Client().post(LEAVE, {"message": "Hello"}, headers=JSON).status_code == 200


def test_a_household_counts_as_one_visitor():
    answers = [
        Client(REMOTE_ADDR=f"2001:db8::{number}").post(LEAVE, {"message": f"{number}"}, headers=JSON).status_code
        for number in range(1, 5)
    ]

    assert answers == [200, 200, 200, 429]
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1") == "192.0.2.1"
    assert network_of("no address") == "unknown"
