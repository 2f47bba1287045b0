"""Raw statements find what Django's own find, and whoever watches the queries sees them."""

from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from eventbus.database import sql
from eventbus.ids import uuid7
from eventbus.models import InboxRow
from eventbus.progress import inbox

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("watched", [False, True], ids=["unwatched", "watched"])
def test_what_was_noted_is_known_and_nothing_else(watched: bool) -> None:
    noted, others = [uuid7() for _ in range(300)], [uuid4() for _ in range(300)]

    with CaptureQueriesContext(connection) if watched else transaction.atomic() as seen:
        inbox.note("house", noted)
        known = inbox.known("house", noted + others)

    assert known == set(noted)
    assert inbox.known("neighbours", noted) == set()
    assert set(InboxRow.objects.values_list("event_id", flat=True)) == set(noted)
    assert not watched or any("eventbus_inbox" in query["sql"] for query in seen.captured_queries)


@pytest.mark.parametrize("watched", [False, True], ids=["unwatched", "watched"])
def test_nothing_may_be_noted_but_nothing_twice(watched: bool) -> None:
    twice = [uuid7()] * 2

    with CaptureQueriesContext(connection) if watched else transaction.atomic():
        inbox.note("house", [])
        with pytest.raises(IntegrityError), transaction.atomic():
            inbox.note("house", twice)

    assert not InboxRow.objects.exists()


def test_a_time_can_be_found_again_by_django() -> None:
    inbox.note("house", [uuid7()])
    at = InboxRow.objects.get().handled_at

    assert InboxRow.objects.filter(handled_at=at, handled_at__lte=at).count() == 1
    if connection.vendor == "sqlite":
        assert sql.time_value(connections["default"], at) == connection.ops.adapt_datetimefield_value(at)
