"""Write what a feed's server answers to a file, poll by poll, while the feed is read as usual."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

import msgspec

from eventbus import clock
from outside.http import Answer, NoAnswer
from stations.feeds.recordings.masking import Mask
from stations.feeds.recordings.recording_file import HEADERS_KEPT, TEXT_BYTES_MAX, Head, RecordedAnswer, RecordingWriter


class Recorder:
    """A recorder of one feed. Its reader is made with `through`, and asks the feed's server through it.

    `secrets` are masked wherever they stand in an answer, and so are keys and tokens in addresses.
    """

    def __init__(self, path: Path, *, secrets: Iterable[str] = ()) -> None:
        self._path = path
        self._mask = Mask(secrets)
        self._file: RecordingWriter | None = None
        self._waiting: list[RecordedAnswer] = []
        self._last: dict[str, bytes] = {}  # the digest of the last body from each masked address

    def begin(self, head: Head, *, goes_on: bool = False) -> None:
        """Create the file, or continue one of the same feed. Raises FileExistsError, BadRecording and OtherFeed."""
        open_file = RecordingWriter.resume if goes_on and self._path.exists() else RecordingWriter.create
        self._file = open_file(self._path, msgspec.structs.replace(head, url=self._mask.text(head.url)))

    def through(self, answer_of: Callable[[], Answer], url: str) -> Answer:
        """Return the answer of this call, and note it. Raises its NoAnswer, which is noted too."""
        try:
            answer = answer_of()
        except NoAnswer as none:
            self._waiting.append(RecordedAnswer(at=clock.now(), url=self._mask.text(url), missing=none.why.value))
            raise
        self._waiting.append(self._line(self._mask.text(url), answer))
        return answer

    def save(self) -> int:
        """Append the noted answers to the file. Return their number."""
        saved, self._waiting = self._waiting, []
        if saved and self._file:
            self._file.append(saved)
        return len(saved)

    def close(self) -> None:
        """Close the file, so that others may continue it."""
        if self._file:
            self._file.close()

    def _line(self, url: str, answer: Answer) -> RecordedAnswer:
        headers = {name: self._mask.text(answer.headers[name]) for name in HEADERS_KEPT if answer.headers.get(name)}
        line = RecordedAnswer(at=clock.now(), url=url, status=answer.status, headers=headers)
        body = self._mask.body(answer.body)
        digest = blake2b(body, digest_size=16).digest()
        if self._last.get(url) == digest:
            return line
        self._last[url] = digest
        with suppress(UnicodeDecodeError):
            if len(body) <= TEXT_BYTES_MAX:
                return msgspec.structs.replace(line, body=body.decode())
        return msgspec.structs.replace(line, raw=body)
