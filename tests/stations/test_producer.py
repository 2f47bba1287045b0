"""The producer's page: who may steer, what is said of a wrong number, and how polls and remarks come to the page."""

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import DatabaseError
from django.test import Client
from django.urls import reverse

from eventbus.testing import settle
from stations.feeds.feed_errors import Failure
from stations.models import PollPlan, Remark
from stations.services import remark_box
from tests.frozen_database import without
from tests.stations.socket_client import (
    browsing,
    closed_with,
    happens,
    key,
    on_a_loop,
    poll_failed,
    polled,
    state,
)

pytestmark = pytest.mark.django_db(transaction=True)

JSON = {"accept": "application/json"}


@pytest.fixture
def open_to_all(settings) -> None:
    settings.STATIONS_PRODUCER_OPEN = True


@pytest.fixture
def closed(settings) -> None:
    settings.STATIONS_PRODUCER_OPEN = False


def person(*permissions: str, **given: object):
    ada = get_user_model().objects.create_user(email="ada@example.com", password="a long enough one", **given)
    ada.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return ada


def start(client: Client, *, interval_ms: object = 500, calls: object = 3, **headers: str):
    return client.post(
        "/stations/producer/plan/simulator/",
        {"action": "start", "interval_ms": interval_ms, "calls": calls},
        headers=headers,
    )


@pytest.mark.usefixtures("closed")
def test_who_may_only_look_sees_no_form_and_steers_nothing(client: Client):
    client.force_login(person("view_pollplan", is_staff=True))

    page = client.get("/stations/producer/").content.decode()

    assert 'id="polls"' in page
    assert "/stations/producer/plan/" not in page
    assert "/stations/producer/remarks/" not in page
    assert start(client).status_code == 403


@pytest.mark.usefixtures("closed")
def test_a_customer_with_a_staff_permission_is_no_staff(client: Client):
    client.force_login(person("view_pollplan", "change_pollplan"))

    assert client.get("/stations/producer/").status_code == 403
    assert start(client).status_code == 403


@pytest.mark.usefixtures("closed")
def test_staff_may_steer_and_the_history_says_who(client: Client):
    client.force_login(person("view_pollplan", "change_pollplan", is_staff=True))

    assert client.get("/stations/producer/").status_code == 200
    assert start(client).status_code == 302
    client.post("/stations/producer/plan/simulator/", {"action": "stop"})

    history = client.get(reverse("admin:stations_pollplan_history", args=["simulator"])).content.decode()
    assert history.count("ada@example.com") >= 2
    assert "Started: every 500 ms, 3 calls" in history
    assert "Stopped." in history


@pytest.mark.usefixtures("closed")
@pytest.mark.parametrize("action", ["start", "stop"])
def test_what_the_history_does_not_take_is_not_steered(client: Client, action: str):
    client.force_login(person("view_pollplan", "change_pollplan", is_staff=True))
    start(client, interval_ms=700, calls=5)
    wanted = {"action": action, "interval_ms": 500, "calls": 3}

    with without("django_admin_log"), pytest.raises(DatabaseError):
        client.post("/stations/producer/plan/simulator/", wanted)

    plan = PollPlan.objects.get()
    assert (plan.running, plan.interval_ms, plan.calls_left) == (True, 700, 5)


@pytest.mark.usefixtures("open_to_all")
def test_three_calls_every_half_second_are_planned_and_stopped(client: Client):
    start(client, interval_ms=500, calls=3)
    plan = PollPlan.objects.get()
    assert (plan.feed, plan.running, plan.interval_ms, plan.calls_left) == ("simulator", True, 500, 3)

    client.post("/stations/producer/plan/simulator/", {"action": "stop"})

    plan.refresh_from_db()
    assert (plan.running, plan.interval_ms) == (False, 500)


@pytest.mark.usefixtures("open_to_all")
@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"interval_ms": 5}, "interval_ms"),
        ({"interval_ms": 9_999_999}, "interval_ms"),
        ({"interval_ms": "soon"}, "interval_ms"),
        ({"calls": -1}, "calls"),
    ],
)
def test_a_wrong_number_is_explained_beside_its_field(client: Client, wrong: dict, field: str):
    answer = start(client, **wrong)

    assert answer.status_code == 400
    assert b'aria-invalid="true"' in answer.content
    assert start(client, **wrong, **JSON).json()["errors"].keys() == {field}
    assert PollPlan.objects.get().calls_left == 0


@pytest.mark.usefixtures("open_to_all")
def test_a_feed_that_is_not_in_use_cannot_be_steered(client: Client):
    answer = client.post("/stations/producer/plan/jcdecaux/", {"action": "stop"})

    assert answer.status_code == 404


@pytest.mark.usefixtures("open_to_all")
@pytest.mark.parametrize("message", ["", "   ", "x" * 501])
def test_a_remark_without_words_or_with_too_many_is_refused(client: Client, message: str):
    answer = client.post("/stations/producer/remark/", {"message": message}, headers=JSON)

    assert answer.status_code == 400
    assert answer.json()["errors"].keys() == {"message"}
    assert not Remark.objects.exists()


@pytest.mark.usefixtures("closed")
@on_a_loop
async def test_staff_see_each_poll_as_it_finishes():
    staff = await sync_to_async(person)("view_pollplan", is_staff=True)
    async with browsing("/ws/producer/", user=staff) as browser:
        await browser.next_of("hello")  # from now on it listens
        await happens({key(): state()})

        poll = await browser.next_of("poll")

    assert (poll["feed"], poll["ok"], poll["changed"], poll["appeared"], poll["bad"]) == ("simulator", True, 0, 1, [])


@pytest.mark.usefixtures("open_to_all")
@on_a_loop
async def test_a_plan_that_changes_is_shown():
    async with browsing("/ws/producer/") as browser:
        await sync_to_async(start)(Client(), calls=7)

        assert (await browser.next_of("plan"))["calls_left"] == 7


@pytest.mark.usefixtures("open_to_all")
@on_a_loop
async def test_there_is_nothing_to_ask_the_producers_socket():
    async with browsing("/ws/producer/") as browser:
        assert (await browser.subscribe())["code"] == "unknown_type"
        assert await closed_with(browser) == 4400


@on_a_loop
async def test_a_feed_that_fails_is_told_in_both_languages():
    await sync_to_async(polled)({key(): state()})
    async with browsing() as browser:
        await browser.subscribe()
        assert (await browser.next_of("feed"))["ok"] is True
        await sync_to_async(poll_failed)(Failure.UNREACHABLE)
        await sync_to_async(settle)()

        feed = await browser.next_of("feed")

    assert (feed["ok"], feed["simulated"], feed["good_at"]) == (False, True, "2026-05-01T12:00:00Z")
    assert feed["reason"]["en"] == Failure.UNREACHABLE
    assert feed["reason"]["fr"] not in ("", Failure.UNREACHABLE)


@pytest.mark.usefixtures("closed")
def test_staff_without_permission_neither_look_nor_steer_nor_close_the_box(client: Client):
    client.force_login(person(is_staff=True))

    refused = client.get("/stations/producer/", headers={"accept-language": "en"})

    assert refused.status_code == 403
    assert "lacks the permission" in refused.content.decode()
    assert start(client).status_code == 403
    assert client.post("/stations/producer/remarks/", {"action": "close"}).status_code == 403
    assert not PollPlan.objects.exists()
    assert remark_box.is_open()
