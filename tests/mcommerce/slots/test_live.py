"""Fragments come anew on the page's socket when they change, and not too often."""

from collections.abc import Callable
from uuid import UUID

import pytest
from django.http import HttpRequest

from mcommerce.orders.models import Order
from mcommerce.web.slots import failed_drawings, registry
from tests.mcommerce.orders.conftest import Shopper
from tests.mcommerce.orders.socket_clients import ANSWER_SECONDS, happens, run, socket_of
from tests.mcommerce.slots.heard_fragments import POINTS, RULES, fragments
from tests.mcommerce.slots.points.events import PointsGranted
from tests.mcommerce.slots.points.services import change_rules, grant_points

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("no_watch_left", "no_fragments_watched", "points_app"),
]

QUIET_SECONDS = 0.5  # some times the pauses in which a socket collects changes
MANY = 60
SICKLY = "points.sickly"


@pytest.fixture
def drawn(registered: Callable[..., None]) -> list[UUID]:
    """The orders for which a fragment was drawn, one for each drawing."""
    orders: list[UUID] = []

    def count(order_id: UUID, _request: HttpRequest) -> dict[str, object]:
        orders.append(order_id)
        return {"said": len(orders)}

    registered(registry.Fragment("order", "points.count", count, "points/note.html", updates_on=(PointsGranted,)))
    return orders


def test_a_change_comes_as_the_fragment_drawn_anew(listener: Shopper, waiting: Order) -> None:
    async def story() -> None:
        async with socket_of(listener, waiting.id) as socket:
            await socket.connect(timeout=ANSWER_SECONDS)
            assert await fragments(socket) == {POINTS: "", RULES: ""}, "as they are now"

            await happens(grant_points, order_id=waiting.id)

            came = await fragments(socket)
            assert list(came) == [POINTS]
            assert '<b id="points">19</b>' in came[POINTS]

    run(story)


def test_the_page_and_the_socket_draw_the_same(listener: Shopper, waiting: Order) -> None:
    change_rules(rules="ten cents a point")
    page = listener.look_at(waiting).content.decode()

    async def story() -> None:
        async with socket_of(listener, waiting.id) as socket:
            await socket.connect(timeout=ANSWER_SECONDS)
            word = await socket.receive_json_from(timeout=ANSWER_SECONDS)
            while "fragments" not in word:
                word = await socket.receive_json_from(timeout=ANSWER_SECONDS)
            assert f'data-digest="{word["fragments"][RULES]["digest"]}"' in page
            assert word["fragments"][RULES]["html"] in page

    run(story)


def test_who_comes_back_gets_what_was_missed(listener: Shopper, waiting: Order) -> None:
    async def story() -> None:
        for points in (5, 10):
            async with socket_of(listener, waiting.id) as socket:
                await socket.connect(timeout=ANSWER_SECONDS)
                before = (await fragments(socket))[POINTS]
            await happens(grant_points, order_id=waiting.id, points=5)
            async with socket_of(listener, waiting.id) as socket:
                await socket.connect(timeout=ANSWER_SECONDS)
                after = (await fragments(socket))[POINTS]
            assert f'<b id="points">{points}</b>' in after
            assert f'<b id="points">{points}</b>' not in before

    run(story)


def test_an_event_of_another_order_draws_and_sends_nothing(
    listener: Shopper, waiting: Order, placed: Callable[..., Order], drawn: list[UUID]
) -> None:
    other = placed()

    async def story() -> None:
        async with socket_of(listener, waiting.id) as socket:
            await socket.connect(timeout=ANSWER_SECONDS)
            await fragments(socket)

            await happens(grant_points, order_id=other.id)

            assert await socket.receive_nothing(timeout=QUIET_SECONDS)

    run(story)

    assert drawn == [waiting.id]


def test_an_event_that_names_no_order_concerns_those_that_match(listener: Shopper, waiting: Order) -> None:
    async def story() -> None:
        async with socket_of(listener, waiting.id) as socket:
            await socket.connect(timeout=ANSWER_SECONDS)
            await fragments(socket)

            await happens(change_rules, rules="ten cents a point")

            assert await fragments(socket) == {RULES: '<p id="rules">ten cents a point</p>'}

    run(story)


def test_many_changes_at_once_are_few_drawings(listener: Shopper, waiting: Order, drawn: list[UUID]) -> None:
    def a_lot() -> None:
        for _time in range(MANY):
            grant_points(order_id=waiting.id)

    async def story() -> None:
        async with socket_of(listener, waiting.id) as socket:
            await socket.connect(timeout=ANSWER_SECONDS)
            await fragments(socket)

            await happens(a_lot)

            while f'<b id="points">{19 * MANY}</b>' not in (await fragments(socket)).get(POINTS, ""):
                pass
            assert await socket.receive_nothing(timeout=QUIET_SECONDS)

    run(story)

    assert len(drawn) <= MANY / 3


def test_a_fragment_that_fails_stays_as_it_is_and_comes_once_it_is_well(
    listener: Shopper,
    waiting: Order,
    registered: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    outcomes = iter(["well", "ill", "ill", "ill", "well again"])  # one for each drawing; the last without an event

    def sickly(_order_id: UUID, _request: HttpRequest) -> dict[str, object]:
        if (outcome := next(outcomes)) == "ill":
            raise ValueError("out of points")
        return {"said": outcome}

    monkeypatch.setattr(failed_drawings, "FIRST_PAUSE_SECONDS", 0.01)
    registered(registry.Fragment("order", SICKLY, sickly, "points/note.html", updates_on=(PointsGranted,)))

    async def story() -> None:
        async with socket_of(listener, waiting.id) as socket:
            await socket.connect(timeout=ANSWER_SECONDS)
            assert "well" in (await fragments(socket))[SICKLY]

            await happens(grant_points, order_id=waiting.id)

            while SICKLY not in (came := await fragments(socket)):
                assert list(came) == [POINTS], "the others come"
            assert "well again" in came[SICKLY], "and not an empty one"

    run(story)
    assert capsys.readouterr().err.count(f"The fragment {SICKLY} failed") == 1
