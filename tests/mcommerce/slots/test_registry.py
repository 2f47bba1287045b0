"""What an app declares wrongly is refused at start, with what to do instead."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from mcommerce.web.slots import fragment, registry
from mcommerce.web.slots.testing import draw_fragment
from tests.mcommerce.slots.points.events import PointsGranted, RulesChanged


def nothing(*_key: Any, request: HttpRequest | None = None) -> None: ...


@pytest.mark.parametrize(
    ("declared", "remedy"),
    [
        ({"place": "ordr"}, "Use one of account, desk, order, product, station"),
        ({"place": "product", "updates_on": [PointsGranted]}, "Leave updates_on out, or use one of order, station"),
        ({"place": "order", "updates_on": [RulesChanged]}, "RulesChanged has no field order_id.*Give matches="),
    ],
)
def test_a_wrong_declaration_is_refused_with_its_remedy(declared: dict[str, Any], remedy: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=remedy):
        fragment(template="points/note.html", **declared)(nothing)


def test_two_fragments_of_one_name_are_refused(registered: Callable[[registry.Fragment], None]) -> None:
    registered(registry.Fragment("order", "points.twice", nothing, "points/note.html"))

    with pytest.raises(ImproperlyConfigured, match="two fragments points.twice"):
        registry.add(registry.Fragment("product", "points.twice", nothing, "points/note.html"))


@pytest.mark.django_db
def test_an_app_tests_its_fragment_and_hears_of_a_query_too_many(points_app: None) -> None:
    from tests.mcommerce.slots.points.slots import account_note, station_praise

    assert "points of 7" in draw_fragment(account_note, 7)
    assert "simulator lyon-7 praised 0 times" in draw_fragment(station_praise, "simulator", "lyon-7")


@pytest.mark.django_db
def test_a_query_too_many_fails_the_apps_test(points_app: None, registered: Callable[..., None]) -> None:
    from tests.mcommerce.slots.points.slots import order_points

    def greedy(order_id: Any, request: HttpRequest) -> None:
        order_points(order_id, request)

    registered(registry.Fragment("order", "points.greedy", greedy, "points/note.html", queries=0))

    with pytest.raises(AssertionError, match="points.greedy made 1 queries and declares 0"):
        draw_fragment(greedy, uuid4())
