"""The file of a recording: one JSON object a line, packed with gzip. The first line says which feed was recorded.

Each poll is appended as a gzip member of its own. If the recorder is killed, the file lacks at most the last poll.
"""

import gzip
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]

LAYOUT = 1  # of the lines below; a file of another layout is refused
HEADERS_KEPT = ("Retry-After", "Location", "Last-Modified")  # those that a reader of feeds looks at
HEAD_BYTES_MAX = 64 * 2**10  # of the first line: a file without line ends must not fill the memory
LINE_BYTES_MAX = 32 * 2**20  # twice the largest answer, since JSON escapes some characters
TEXT_BYTES_MAX = 5 * 2**20  # of a body written as text: JSON may need six bytes for one, and the line has a limit
PIECE_BYTES = 16 * 2**10  # read at once; packed by gzip's best, 16 MB

_CUT = (EOFError, zlib.error, gzip.BadGzipFile)

Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class BadRecording(ValueError):
    """The file cannot be played or continued. The text says why and what to do."""


class OtherFeed(ValueError):
    """The file holds a recording of another feed."""


class Head(msgspec.Struct, frozen=True):
    """The first line: the name and the address of the recorded feed, and its format. The address is masked."""

    recording: int
    feed: str
    url: str
    is_gbfs: bool
    begun_at: Moment


class RecordedAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """One answer of the feed's server, or its absence.

    `body`: the text; `raw`: the bytes, if they are no UTF-8. Without both it is the last body from this address again.
    `missing`: no answer came, for this reason, a word of `outside.http.Why`.
    """

    at: Moment
    url: str
    status: int = 0
    headers: dict[str, str] = {}
    body: str | None = None
    raw: bytes | None = None
    missing: str = ""


class RecordingWriter:
    """The open file of a recording. No second one opens it meanwhile. Only its owner may read the file."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file = file
        try:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise BadRecording(f"{path} is written by another process: stop that, or choose another file") from None

    @classmethod
    def create(cls, path: Path, head: Head) -> "RecordingWriter":
        """Create the file with its first line. Raises FileExistsError: a repeated command loses no recording."""
        writer = cls(open(path, "xb", buffering=0, opener=_for_the_owner), path)  # noqa: SIM115
        try:
            writer._write(_packed([head]))
        except OSError:
            writer.close()
            path.unlink()
            raise
        return writer

    @classmethod
    def resume(cls, path: Path, head: Head) -> "RecordingWriter":
        """Open a recording of the same feed, and take away what a killed recorder left half.

        Raises BadRecording and OtherFeed, and then leaves the file as it is.
        """
        writer = cls(open(path, "r+b", buffering=0), path)  # noqa: SIM115
        try:
            if (there := head_of(path)).feed != head.feed or there.url != head.url:
                raise OtherFeed(f"{path} is a recording of {there.feed} at {there.url}: choose another file.")
            _refuse_unreadable(path)
            writer._file.truncate(_whole_bytes(path))
        except BaseException:
            writer.close()
            raise
        return writer

    def append(self, answers: Iterable[RecordedAnswer]) -> None:
        """Append these answers as a whole, or raise OSError and leave the file as it was."""
        self._write(_packed(answers))

    def close(self) -> None:
        self._file.close()

    def _write(self, packed: bytes) -> None:
        before, rest = self._file.seek(0, os.SEEK_END), memoryview(packed)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError:
            with suppress(OSError):
                self._file.truncate(before)
            raise


def head_of(path: Path) -> Head:
    """Return the first line. Raises BadRecording if the file cannot be read or is no recording."""
    try:
        with gzip.open(path) as file:
            head = msgspec.json.decode(file.readline(HEAD_BYTES_MAX), type=Head)
    except OSError as error:
        raise BadRecording(f"{path} cannot be read: {error.strerror or 'it is not packed with gzip'}") from None
    except (msgspec.MsgspecError, EOFError, zlib.error, UnicodeDecodeError):
        raise BadRecording(f"{path} is no recording: make one with manage.py record_stations FEED FILE") from None
    if head.recording != LAYOUT:
        raise BadRecording(f"{path} has layout {head.recording} and this site reads {LAYOUT}: record it again")
    return head


def answers_of(path: Path) -> Iterator[RecordedAnswer]:
    """Return the answers in their order, as far as the file is whole: a killed recorder leaves a part of a line."""
    with suppress(msgspec.MsgspecError, *_CUT, UnicodeDecodeError):
        yield from _decoded(path)


def _decoded(path: Path) -> Iterator[RecordedAnswer]:
    decoder = msgspec.json.Decoder(RecordedAnswer)
    with gzip.open(path) as file:
        file.readline(HEAD_BYTES_MAX)
        while line := file.readline(LINE_BYTES_MAX):
            yield decoder.decode(line)


def _refuse_unreadable(path: Path) -> None:
    """Raise BadRecording if a line cannot be read: what stands after it would never be played."""
    number = 1
    try:
        for _ in _decoded(path):
            number += 1
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise BadRecording(f"{path} cannot be read after line {number}: choose another file") from None
    except _CUT:
        return


def _whole_bytes(path: Path) -> int:
    """Return the length of the file's whole gzip members. Raises BadRecording for damage that is no cut at the end."""
    whole = read = 0
    member, ends_in_line_end = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16), True
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            read += len(piece)
            while piece:
                try:
                    text = member.decompress(piece)
                except zlib.error:
                    raise BadRecording(f"{path} is damaged after byte {whole}: choose another file") from None
                ends_in_line_end = text.endswith(b"\n") if text else ends_in_line_end
                if not member.eof:
                    break
                piece, member = member.unused_data, zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
                whole = read - len(piece)
                if not ends_in_line_end:
                    raise BadRecording(f"{path} lacks the end of a line at byte {whole}: choose another file")
    return whole


def _for_the_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)  # an answer may hold a secret that nobody knows as one


def _packed(lines: Iterable[msgspec.Struct]) -> bytes:
    return gzip.compress(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
