"""The file of a recording: one JSON object a line, packed with gzip. The first line says which feed was recorded.

Each poll is appended as a gzip member of its own. If the recorder is killed, the file lacks at most the last poll.
"""

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

import msgspec

LAYOUT = 1  # of the lines below; a file of another layout is refused
HEADERS_KEPT = ("Retry-After", "Location", "Last-Modified")  # those that a reader of feeds looks at
HEAD_BYTES_MAX = 64 * 2**10  # of the first line: a file without line ends must not fill the memory
LINE_BYTES_MAX = 32 * 2**20  # twice the largest answer, since JSON escapes some characters


_SECRET = re.compile(r"([?&][^=&#]*(?:key|token|secret|password|auth)[^=&#]*=)[^&#]*", re.IGNORECASE)


class BadRecording(ValueError):
    """The file cannot be played. The text says why and what to do."""


class Head(msgspec.Struct, frozen=True):
    """The first line: the name and the address of the recorded feed, and its format. The address is `covered`."""

    recording: int
    feed: str
    url: str
    is_gbfs: bool
    begun_at: datetime


class RecordedAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """One answer of the feed's server, or its absence.

    `body`: the text; `raw`: the bytes, if they are no UTF-8. Without both it is the last body from this address again.
    `missing`: no answer came, for this reason, a word of `outside.http.Why`.
    """

    at: datetime
    url: str
    status: int = 0
    headers: dict[str, str] = {}
    body: str | None = None
    raw: bytes | None = None
    missing: str = ""


def covered(url: str) -> str:
    """Return the address with its keys and tokens masked: a recording is passed on to others."""
    return _SECRET.sub(r"\1***", url)


def create(path: Path, head: Head) -> None:
    """Create the file with its first line. Raises FileExistsError, so that a repeated command loses no recording."""
    with path.open("xb") as file:
        file.write(_packed([head]))


def append(path: Path, answers: Iterable[RecordedAnswer]) -> None:
    with path.open("ab") as file:
        file.write(_packed(answers))


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
    decoder = msgspec.json.Decoder(RecordedAnswer)
    with gzip.open(path) as file:
        try:
            file.readline(HEAD_BYTES_MAX)
            while line := file.readline(LINE_BYTES_MAX):
                yield decoder.decode(line)
        except (msgspec.MsgspecError, EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError):
            return


def _packed(lines: Iterable[msgspec.Struct]) -> bytes:
    return gzip.compress(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
