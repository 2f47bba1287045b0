"""A recording as a feed: the answers of another day, read by the reader of the recorded feed, with the times of now."""

from datetime import datetime, timedelta

import msgspec

from stations.feeds.feed_interface import Feed, Fetched, Key, ListedContract, PollFailed, Reading
from stations.feeds.recordings.recorded_answers import RecordedAnswers


class RecordedFeed:
    """A feed that plays a recording. `read` is the reader of the recorded feed, which asks the recording.

    Its city is the last part of its name.
    """

    def __init__(self, name: str, answers: RecordedAnswers, read: Feed) -> None:
        self.name = name
        self._contract = name.partition(":")[2]
        self.contract: str | None = self._contract
        self.url = read.url
        self._answers = answers
        self._read = read

    def fetch(self) -> Fetched:
        """Return the stations of the recording's moment. Raises PollFailed where the recorded feed failed."""
        try:
            fetched = self._read.fetch()
        except PollFailed as failed:
            raise self._failed(failed) from None
        age = self._answers.age
        return Fetched(
            readings=[self._named(reading, age) for reading in fetched.readings],
            bad=fetched.bad,
            listed={self._key(key) for key in fetched.listed},
            complete=fetched.complete,
            faults={self._key(key): fault for key, fault in fetched.faults.items()},
            updated_at=_later(fetched.updated_at, age),
        )

    def contracts(self) -> list[ListedContract]:
        """Return nothing: a recording is one city."""
        return []

    def close(self) -> None:
        self._read.close()

    def _failed(self, failed: PollFailed) -> PollFailed:
        """Return the failure as one of this feed. What it demanded to wait passes at the recording's speed."""
        wait = failed.retry_after_seconds
        return PollFailed(
            failed.reason,
            failed.detail,
            retry_after_seconds=wait and wait / self._answers.speed,
            faults={self._key(key): fault for key, fault in failed.faults.items()},
        )

    def _named(self, reading: Reading, age: timedelta) -> Reading:
        state = msgspec.structs.replace(reading.state, contract=self._contract)
        return Reading(self._key(reading.key), state, _later(reading.reported_at, age))

    def _key(self, key: Key) -> Key:
        return Key(self.name, key.station_id)


def _later(at: datetime | None, age: timedelta) -> datetime | None:
    """Return the time so much later; None, as unknown, if no calendar has it."""
    try:
        return at and at + age
    except OverflowError:
        return None
