"""The remark box: a few words from visitors, never a flood."""

from datetime import UTC, datetime, timedelta

import pytest

from eventbus.testing import published_events
from stations.events import RemarkDeleted, RemarkLeft
from stations.limits import REMARKS_OF_ALL, REMARKS_PER_CLIENT, WINDOW_SECONDS, RemarksTooOften
from stations.models import Remark
from stations.services.recording import RemarkEmpty, delete_remarks, leave_remark

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def leave(message: str = "Nice map", *, name: str = "Ada", client: str = "session-1", now: datetime = NOON) -> Remark:
    return leave_remark(name=name, message=message, client=client, now=now)


def test_a_remark_is_kept_and_told():
    remark = leave(" Nice\x00  map\u202e\r\n ", name=" Ada ")

    assert (remark.name, remark.message, remark.at) == ("Ada", "Nice map", NOON)
    (told,) = published_events(RemarkLeft)
    assert (told.remark_id, told.name, told.message, told.at) == (remark.id, "Ada", "Nice map", NOON)


UNSEEN = {
    "nothing": "",
    "spaces": " \u00a0\u2003\u3000",
    "controls": "\x00\x07",
    "zero width": "\u200b\u200c\u200d\u2060\ufeff",
    "soft hyphens": "\u00ad\u00ad",
    "direction marks": "\u200e\u200f\u061c",
    "marks without a letter": "\u034f\ufe0f\u0301\U000e0100",
    "tags": "\U000e0001\U000e0061",
    "fillers": "\u115f\u1160\u3164\uffa0",
    "an empty Braille pattern": "\u2800",
    "no characters yet, or never": "\uffff\U000e0fff\ue000",
}


@pytest.mark.parametrize("message", UNSEEN.values(), ids=UNSEEN)
def test_a_remark_of_which_nothing_is_seen_is_refused(message: str):
    with pytest.raises(RemarkEmpty):
        leave(message)


def test_a_deleted_remark_is_told_so_once():
    remark = leave()

    assert delete_remarks([remark.id]) == 1
    assert delete_remarks([remark.id]) == 0

    assert not Remark.objects.exists()
    (told,) = published_events(RemarkDeleted)
    assert told.remark_id == remark.id


def test_who_talks_too_much_waits_a_minute_and_others_do_not():
    for _ in range(REMARKS_PER_CLIENT):
        leave()

    with pytest.raises(RemarksTooOften):
        leave()
    leave(client="session-2")
    leave(now=NOON + timedelta(seconds=WINDOW_SECONDS))


def test_whoever_changes_sessions_cannot_flood_either():
    for number in range(REMARKS_OF_ALL):
        leave(client=f"session-{number}")

    with pytest.raises(RemarksTooOften):
        leave(client="one more")
