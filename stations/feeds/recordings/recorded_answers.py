"""Play a recording's answers again: each address answers as it did at the same moment of the recording."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from eventbus import clock
from outside.http import Answer, NoAnswer, Why
from stations.feeds.recordings.masking import covered
from stations.feeds.recordings.recording_file import RecordedAnswer, answers_of, head_of

GAP_SECONDS_MAX = 86_400.0  # a day: the longest interval of the recorder. A longer pause, or a wrong clock, is cut
POLL_SECONDS = 15.0  # of one recorded poll: its answers came one after the other within so long
AHEAD_MAX = 32  # answers of one poll that are looked through: a feed has five documents, each asked three times at most
ADDRESSES_MAX = 32  # of one recording; a hostile file must not fill the memory
KEPT_BYTES_MAX = 128 * 2**20  # of the last bodies of all addresses: eight times the largest answer


class _Line(NamedTuple):
    """An answer, and the seconds from the first one to it. The seconds never go back."""

    seconds: float
    told: RecordedAnswer


class RecordedAnswers:
    """The server of a recording, for one thread. It begins with the first question, and again after the last answer.

    `speed`: seconds of the recording in a second of now. `seconds` is the clock that measures them.
    """

    def __init__(self, path: Path, *, speed: float, seconds: Callable[[], float] = time.monotonic) -> None:
        self.head = head_of(path)
        self._path = path
        self.speed = speed
        self._seconds = seconds
        self._rewind()

    def _rewind(self) -> None:
        self._begun: float | None = None
        self._lines = _timed(answers_of(self._path))
        self._ahead: deque[_Line] = deque()
        self._last: _Line | None = None
        self._answers: dict[str, RecordedAnswer] = {}
        self._bodies: dict[str, bytes] = {}

    @property
    def now(self) -> datetime:
        """The moment of the recording that is played now."""
        line = self._last or self._peek()
        if line is None:
            return self.head.begun_at
        with suppress(OverflowError):
            return line.told.at + timedelta(seconds=self._passed() - line.seconds)
        return line.told.at

    @property
    def age(self) -> timedelta:
        """The time from the moment that is played until now. Added to a time of the recording, it makes it current."""
        return clock.now() - self.now

    def through(self, answer_of: Callable[[], Answer], url: str) -> Answer:
        """Return what this address answered, without a call. Raises NoAnswer if no answer came, or none is recorded."""
        url = covered(url)
        try:
            told = self._told(url)
        except OSError as error:
            raise NoAnswer(Why.UNREACHABLE, f"the recording: {error.strerror}", arrived=False) from None
        if told is None:
            raise NoAnswer(Why.UNREACHABLE, "in the recording", arrived=False)
        if told.missing:
            known = told.missing in Why.__members__.values()
            raise NoAnswer(Why(told.missing) if known else Why.UNREACHABLE, "in the recording", arrived=False)
        return Answer(told.status, self._bodies.get(url, b""), told.headers)

    def wait(self, seconds: float) -> None:
        """Let these seconds of the recording pass at once: a reader waits before it asks again."""
        if self._begun is not None:
            self._begun -= seconds / self.speed

    def _told(self, url: str) -> RecordedAnswer | None:
        if self._begun is None:
            self._begun = self._seconds()
        elif self._last and not self._peek() and self._passed() > self._last.seconds:
            self._rewind()
            self._begun = self._seconds()
        passed = self._passed()
        while (line := self._peek()) and line.seconds <= passed:
            self._last = self._ahead.popleft()
            self._keep(line.told)
        if url not in self._answers:
            self._look_ahead(url, passed + POLL_SECONDS)
        return self._answers.get(url)

    def _passed(self) -> float:
        """Return the seconds of the recording that have passed since its beginning."""
        return 0.0 if self._begun is None else (self._seconds() - self._begun) * self.speed

    def _peek(self) -> _Line | None:
        """Return the next answer, which stays."""
        if not self._ahead and (line := next(self._lines, None)):
            self._ahead.append(line)
        return self._ahead[0] if self._ahead else None

    def _look_ahead(self, url: str, until: float) -> None:
        """Keep the first answer of this address if it is of the present poll. The other answers wait for their time."""
        while len(self._ahead) < AHEAD_MAX and (not self._ahead or self._ahead[-1].seconds <= until):
            if (line := next(self._lines, None)) is None:
                break
            self._ahead.append(line)
        if found := next((line for line in self._ahead if line.told.url == url and line.seconds <= until), None):
            self._keep(found.told)

    def _keep(self, told: RecordedAnswer) -> None:
        if told.url not in self._answers and len(self._answers) >= ADDRESSES_MAX:
            return
        body = told.raw if told.body is None else told.body.encode()
        self._answers[told.url] = replace(told, body=None, raw=None)
        if body is None:
            return
        self._bodies[told.url] = body
        if sum(map(len, self._bodies.values())) > KEPT_BYTES_MAX:
            del self._bodies[told.url]
            self._answers[told.url] = replace(self._answers[told.url], missing=Why.TOO_LARGE.value)


def _timed(answers: Iterator[RecordedAnswer]) -> Iterator[_Line]:
    """Return the answers with their seconds from the first. A clock that was set back moves none before another."""
    seconds, before = 0.0, None
    for told in answers:
        if before is not None:
            seconds += min(max((told.at - before).total_seconds(), 0.0), GAP_SECONDS_MAX)
        before = told.at
        yield _Line(seconds, told)
