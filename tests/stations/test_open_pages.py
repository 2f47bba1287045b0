"""Open pages are told each poll and each remark once, and forget a remark that staff deletes."""

import re
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.test import Client

from eventbus.testing import settle
from stations.models import Remark
from stations.services.recording import leave_remark
from tests.stations.socket_client import NOON, Browser, browsing, happens, key, on_a_loop, polled, state

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def open_to_all(settings) -> None:
    settings.STATIONS_PRODUCER_OPEN = True


async def remarks_of(browser: Browser) -> list[str]:
    return [remark["message"] for remark in (await browser.next_of("remarks"))["remarks"]]


@pytest.mark.usefixtures("open_to_all")
@on_a_loop
async def test_a_remark_appears_on_every_open_dashboard():
    await sync_to_async(polled)({key(): state()})
    async with browsing() as one, browsing() as other:
        await one.subscribe()
        await other.subscribe()
        assert [await remarks_of(browser) for browser in (one, other)] == [[], []]
        await sync_to_async(Client().post)("/stations/producer/remark/", {"message": "Hello"})
        await happens({key(): state(bikes=9)})

        assert [(await browser.next_of("remark"))["message"] for browser in (one, other)] == ["Hello", "Hello"]


@pytest.mark.usefixtures("open_to_all")
@on_a_loop
async def test_a_remark_deleted_at_the_desk_goes_from_every_open_and_new_page():
    superuser = await sync_to_async(get_user_model().objects.create_superuser)(email="zeus@olymp.example")
    desk = Client()
    await sync_to_async(desk.force_login)(superuser)
    kept = await sync_to_async(leave_remark)(name="", message="Kept", client="one", now=NOON)
    deleted = await sync_to_async(leave_remark)(name="", message="Deleted", client="two", now=NOON)
    async with browsing() as dashboard, browsing("/ws/producer/") as producer:
        await dashboard.subscribe()
        assert [sorted(await remarks_of(page)) for page in (dashboard, producer)] == [["Deleted", "Kept"]] * 2

        action = {"action": "delete_selected", "_selected_action": str(deleted.id), "post": "yes"}
        await sync_to_async(desk.post)("/admin/stations/remark/", action)
        await sync_to_async(settle)()

        for page in (dashboard, producer):
            assert (await page.next_of("remark_deleted"))["id"] == str(deleted.id)
        async with browsing("/ws/producer/") as later:
            assert await remarks_of(later) == ["Kept"]
    assert [remark.id async for remark in Remark.objects.all()] == [kept.id]


@pytest.mark.usefixtures("open_to_all")
@on_a_loop
async def test_ten_polls_within_two_seconds_are_ten_lines_each_with_a_key_of_its_own():
    async with browsing("/ws/producer/") as browser:
        await browser.next_of("hello")
        for number in range(10):
            await happens({key(): state(bikes=number)}, at=NOON + timedelta(milliseconds=200 * number))

        told = [(await browser.next_of("poll"))["key"] for _ in range(10)]

    page = await sync_to_async(Client().get)("/stations/producer/")
    written = re.findall(r'<tr data-key="([^"]*)"', page.content.decode())
    assert len(set(told)) == 10
    assert written == told[::-1]
