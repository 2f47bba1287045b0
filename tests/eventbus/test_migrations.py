"""A site with events in its tables is upgraded."""

from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connection

from eventbus.models import ConsumerGroup, Progress

pytestmark = pytest.mark.django_db(transaction=True)
PROGRESS_IN_0001 = """
    INSERT INTO eventbus_progress
        ("group", topic, partition, position, epoch, crashes, handled, ignored, skipped, discarded)
    VALUES ('veterans', 'house', 0, 100, 1, 0, 20, 5, 0, 1)
"""


@pytest.fixture
def first_release() -> Iterator[None]:
    """The tables as the first release had them."""
    call_command("migrate", "eventbus", "0001", verbosity=0)
    yield
    call_command("migrate", "eventbus", verbosity=0)
    Progress.objects.filter(group="veterans").delete()


def test_a_group_that_had_begun_late_is_not_said_to_have_lost_what_came_before(first_release: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(PROGRESS_IN_0001)

    call_command("migrate", "eventbus", verbosity=0)

    assert Progress.objects.get(group="veterans").start == 74


def test_going_back_to_an_earlier_schema_and_forth_again_works(first_release: None) -> None:
    call_command("migrate", "eventbus", verbosity=0)

    assert ConsumerGroup.objects.exists()
