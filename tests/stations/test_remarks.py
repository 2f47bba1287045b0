"""The remark box: a few words from visitors, never a flood."""

from datetime import UTC, datetime, timedelta

import pytest

from eventbus.testing import published_events
from stations.events import RemarkLeft
from stations.limits import REMARK_SECONDS, REMARKS_OF_ALL, REMARKS_PER_CLIENT, RemarksTooOften
from stations.models import REMARK_LENGTH_MAX, REMARK_NAME_LENGTH_MAX, Remark
from stations.services import RemarkEmpty, RemarkTooLong, leave_remark

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def leave(message: str = "Nice map", *, name: str = "Ada", client: str = "session-1", now: datetime = NOON) -> Remark:
    return leave_remark(name=name, message=message, client=client, now=now)


def test_a_remark_is_kept_and_told():
    remark = leave(" Nice\x00  map\u202e\r\n ", name=" Ada ")

    assert (remark.name, remark.message, remark.at) == ("Ada", "Nice map", NOON)
    (told,) = published_events(RemarkLeft)
    assert (told.remark_id, told.name, told.message, told.at) == (remark.id, "Ada", "Nice map", NOON)


def test_nobody_needs_a_name():
    assert leave(name="").name == ""


@pytest.mark.parametrize("message", ["", "   ", "\x00\x07"])
def test_a_remark_without_words_is_refused(message: str):
    with pytest.raises(RemarkEmpty):
        leave(message)


def test_a_remark_as_long_as_a_letter_is_refused():
    assert leave("x" * REMARK_LENGTH_MAX, name="y" * REMARK_NAME_LENGTH_MAX)

    with pytest.raises(RemarkTooLong):
        leave("x" * (REMARK_LENGTH_MAX + 1))
    with pytest.raises(RemarkTooLong):
        leave(name="y" * (REMARK_NAME_LENGTH_MAX + 1))


def test_who_talks_too_much_waits_a_minute_and_others_do_not():
    for _ in range(REMARKS_PER_CLIENT):
        leave()

    with pytest.raises(RemarksTooOften):
        leave()
    leave(client="session-2")
    leave(now=NOON + timedelta(seconds=REMARK_SECONDS))


def test_whoever_changes_sessions_cannot_flood_either():
    for number in range(REMARKS_OF_ALL):
        leave(client=f"session-{number}")

    with pytest.raises(RemarksTooOften):
        leave(client="one more")
