"""The frames beside the stations: each socket is told what it missed, and the newest when it missed too much."""

import json
from uuid import UUID

from stations.events import RemarkDeleted, RemarkLeft
from stations.feeds.active_feeds import ActiveFeed
from stations.live.feed_health import FeedHealth
from stations.live.status_frames import RemarkShown, StatusFrames, StoredStatus
from tests.stations.socket_client import NOON


def remark(number: int) -> RemarkLeft:
    return RemarkLeft(remark_id=UUID(int=number), name="Ada", message=f"remark {number}", at=NOON)


def begun(*feeds: FeedHealth, remarks: int = 0) -> StatusFrames:
    status = StatusFrames()
    shown = [RemarkShown(UUID(int=number), "Ada", f"remark {number}", NOON) for number in range(remarks)]
    status.replace(StoredStatus([*feeds], shown))
    return status


def told(status: StatusFrames, after: int) -> list[str]:
    """The messages of the remarks that a socket is told one by one; or "list:" and those of a list."""
    frames = [json.loads(text) for text in status.remarks(after)]
    if [frame["type"] for frame in frames] == ["remarks"]:
        return ["list:", *(remark["message"] for remark in frames[0]["remarks"])]
    return [frame["message"] for frame in frames]


def test_who_comes_is_told_the_newest_ten_as_a_list_the_oldest_of_them_first() -> None:
    status = begun(remarks=12)
    status.add(remark(12))

    assert told(status, 0) == ["list:", *(f"remark {number}" for number in range(3, 13))]


def test_fifty_missed_remarks_are_told_one_by_one_and_of_more_only_the_newest() -> None:
    status = begun()
    held = status.number
    for number in range(50):
        status.add(remark(number))
    assert told(status, held) == [f"remark {number}" for number in range(50)]

    status.add(remark(50))

    assert told(status, held) == ["list:", *(f"remark {number}" for number in range(41, 51))]
    assert told(status, held + 1) == [f"remark {number}" for number in range(1, 51)]


def test_a_deleted_remark_is_told_and_not_listed_any_more() -> None:
    status = begun(remarks=2)
    held = status.number

    status.add(RemarkDeleted(remark_id=UUID(int=0)))

    assert [json.loads(text)["type"] for text in status.remarks(held)] == ["remark_deleted"]
    assert told(status, 0) == ["list:", "remark 1"]


def test_a_feed_is_told_to_whoever_does_not_hold_it_yet() -> None:
    feeds = [FeedHealth(ActiveFeed(name=f"simulator:{name}", contract=name)) for name in "ab"]
    status = begun(*feeds)

    assert [json.loads(text)["contract"] for text in status.feeds_told(0)] == ["a", "b"]
    assert [json.loads(text)["contract"] for text in status.feeds_told(1)] == ["b"]
    assert list(status.feeds_told(status.number)) == []
