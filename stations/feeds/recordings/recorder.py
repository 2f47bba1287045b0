"""Write what a feed's server answers to a file, poll by poll, while the feed is read as usual."""

from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

import msgspec

from eventbus import clock
from outside.http import Answer, NoAnswer
from stations.feeds.recordings.recording_file import (
    HEADERS_KEPT,
    Head,
    RecordedAnswer,
    append,
    covered,
    create,
    head_of,
)


class OtherFeed(ValueError):
    """The file holds a recording of another feed."""


class Recorder:
    """A recorder of one feed. Its reader is made with `through`, and asks the feed's server through it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: list[RecordedAnswer] = []
        self._last: dict[str, bytes] = {}  # the digest of the last body from each address

    def begin(self, head: Head, *, goes_on: bool = False) -> None:
        """Create the file, or continue one of the same feed. Raises FileExistsError, BadRecording and OtherFeed."""
        if not (goes_on and self._path.exists()):
            create(self._path, head)
        elif (there := head_of(self._path)).feed != head.feed or there.url != head.url:
            raise OtherFeed(f"{self._path} is a recording of {there.feed}: choose another file.")

    def through(self, answer_of: Callable[[], Answer], url: str) -> Answer:
        """Return the answer of this call, and note it. Raises its NoAnswer, which is noted too."""
        try:
            answer = answer_of()
        except NoAnswer as none:
            self._waiting.append(RecordedAnswer(at=clock.now(), url=covered(url), missing=none.why.value))
            raise
        self._waiting.append(self._line(url, answer))
        return answer

    def save(self) -> int:
        """Append the noted answers to the file. Return their number."""
        saved, self._waiting = self._waiting, []
        append(self._path, saved)
        return len(saved)

    def _line(self, url: str, answer: Answer) -> RecordedAnswer:
        headers = {name: answer.headers[name] for name in HEADERS_KEPT if answer.headers.get(name)}
        line = RecordedAnswer(at=clock.now(), url=covered(url), status=answer.status, headers=headers)
        digest = blake2b(answer.body, digest_size=16).digest()
        if self._last.get(url) == digest:
            return line
        self._last[url] = digest
        try:
            return msgspec.structs.replace(line, body=answer.body.decode())
        except UnicodeDecodeError:
            return msgspec.structs.replace(line, raw=answer.body)
