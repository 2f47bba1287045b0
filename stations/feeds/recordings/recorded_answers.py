"""Play a recording's answers again: each address answers as it did at the same moment of the recording."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from eventbus import clock
from outside.http import Answer, NoAnswer, Why
from stations.feeds.recordings.recording_file import RecordedAnswer, answers_of, covered, head_of


class RecordedAnswers:
    """The server of a recording, for one thread. It begins with the first question, and again after the last answer.

    `speed`: seconds of the recording in a second of now. `seconds` is the clock that measures them.
    """

    def __init__(self, path: Path, *, speed: float, seconds: Callable[[], float] = time.monotonic) -> None:
        self.head = head_of(path)
        self._path = path
        self._speed = speed
        self._seconds = seconds
        self._rewind()

    def _rewind(self) -> None:
        self._begun: float | None = None
        self._lines: Iterator[RecordedAnswer] = answers_of(self._path)
        self._next = next(self._lines, None)
        self._first_at = self._next.at if self._next else self.head.begun_at
        self._answers: dict[str, RecordedAnswer] = {}
        self._bodies: dict[str, bytes] = {}

    @property
    def now(self) -> datetime:
        """The moment of the recording that is played now."""
        elapsed = 0.0 if self._begun is None else self._seconds() - self._begun
        return self._first_at + timedelta(seconds=elapsed * self._speed)

    @property
    def age(self) -> timedelta:
        """The time from the moment that is played until now. Added to a time of the recording, it makes it current."""
        return clock.now() - self.now

    def through(self, answer_of: Callable[[], Answer], url: str) -> Answer:
        """Return what this address answered, without a call. Raises NoAnswer if no answer came, or none is recorded."""
        url = covered(url)
        if self._begun is None:
            self._begun = self._seconds()
        elif self._next is None and self.now > self._last_at:
            self._rewind()
            self._begun = self._seconds()
        now = self.now
        while self._next and (self._next.at <= now or url not in self._answers):
            self._step(self._next)
        told = self._answers.get(url)
        if told is None or told.missing:
            raise NoAnswer(Why(told.missing) if told else Why.UNREACHABLE, "in the recording", arrived=False)
        return Answer(told.status, self._bodies.get(url, b""), told.headers)

    def _step(self, line: RecordedAnswer) -> None:
        self._answers[line.url] = line
        if line.body is not None or line.raw is not None:
            self._bodies[line.url] = line.raw if line.body is None else line.body.encode()  # type: ignore[assignment]
        self._last_at = line.at
        self._next = next(self._lines, None)
