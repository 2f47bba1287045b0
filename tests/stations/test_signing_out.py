"""Who signs out, or may not look any more, hears no more on the producer's side within a minute."""

from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.auth import AuthMiddlewareStack
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

from eventbus import clock
from stations.models import PollPlan
from tests.stations.socket_client import Browser, browsing, closed_with, on_a_loop, sockets

pytestmark = pytest.mark.django_db(transaction=True)

known = AuthMiddlewareStack(sockets)


@pytest.fixture(autouse=True)
def closed(settings: Any) -> None:
    settings.STATIONS_PRODUCER_OPEN = False


def signed_in() -> Client:
    """A browser of staff who may look."""
    ada = get_user_model().objects.create_user(email="ada@example.com", password="a long enough one", is_staff=True)
    ada.user_permissions.set(Permission.objects.filter(codename="view_pollplan"))
    client = Client()
    client.force_login(ada)
    return client


def headers_of(client: Client) -> list[tuple[bytes, bytes]]:
    return [(b"cookie", f"sessionid={client.cookies['sessionid'].value}".encode())]


def sign_out(client: Client) -> None:
    client.logout()


def deactivate(client: Client) -> None:
    get_user_model().objects.update(is_active=False)


def leave_the_staff(client: Client) -> None:
    get_user_model().objects.update(is_staff=False)


def lose_the_permission(client: Client) -> None:
    get_user_model().objects.get().user_permissions.clear()


def change_the_password(client: Client) -> None:
    ada = get_user_model().objects.get()
    ada.set_password("another long enough one")
    ada.save()


def delete_the_account(client: Client) -> None:
    get_user_model().objects.all().delete()


@pytest.mark.parametrize(
    "happens", [sign_out, deactivate, leave_the_staff, lose_the_permission, change_the_password, delete_the_account]
)
@on_a_loop
async def test_the_socket_closes_within_a_minute(happens: Callable[[Client], None], bus_clock: Any) -> None:
    client = await sync_to_async(signed_in)()
    async with browsing("/ws/producer/", app=known, headers=headers_of(client)) as browser:
        await browser.next_of("hello")
        await sync_to_async(happens)(client)

        bus_clock.advance(seconds=60)

        assert (await browser.next_of("error"))["code"] == "staff_only"
        assert await closed_with(browser) == 4403


@on_a_loop
async def test_who_stays_signed_in_keeps_hearing(bus_clock: Any) -> None:
    client = await sync_to_async(signed_in)()
    async with browsing("/ws/producer/", app=known, headers=headers_of(client)) as browser:
        await browser.next_of("hello")
        for _minute in range(3):
            bus_clock.advance(seconds=60)
            await looked(browser)


async def looked(browser: Browser) -> None:
    """A plan that changes is told only by a look, and each look begins with who is looking."""
    await sync_to_async(change_a_plan)()
    await browser.next_of("plan")


def change_a_plan() -> None:
    plan, _new = PollPlan.objects.get_or_create(
        feed="simulator", defaults={"interval_ms": 1_000, "changed_at": clock.now()}
    )
    plan.interval_ms += 1
    plan.save()
