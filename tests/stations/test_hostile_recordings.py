"""What a recording must survive: secrets in answers, cut files, full disks, wrong clocks, and files made to do harm."""

import gzip
import stat
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eventbus import clock
from outside.http import NoAnswer
from stations.feeds.recordings import recorded_answers
from stations.feeds.recordings.recorded_answers import RecordedAnswers
from stations.feeds.recordings.recording_file import (
    LAYOUT,
    LINE_BYTES_MAX,
    BadRecording,
    Head,
    RecordedAnswer,
    RecordingWriter,
    answers_of,
)
from stations.feeds.registry import UnknownFeed, feed_named
from tests.full_disk import fill, small_disk
from tests.stations.test_recordings import BEGUN, Seconds, never, played, record

HEAD = Head(LAYOUT, feed="jcdecaux:lyon", url="http://feed/vls/v3", is_gbfs=False, begun_at=BEGUN)
ADDRESS = "http://feed/stations"


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lyon.jsonl.gz"


@pytest.fixture(autouse=True)
def at_noon() -> Iterator[None]:
    clock.hold(BEGUN)
    yield
    clock.hold(None)


def written(path: Path, *lines: tuple[datetime, str, str], head: Head = HEAD) -> Path:
    """A file with these answers: when, from where, and what."""
    file = RecordingWriter.create(path, head)
    file.append(RecordedAnswer(at=at, url=url, status=200, body=body) for at, url, body in lines)
    file.close()
    return path


def after(seconds: float) -> datetime:
    return BEGUN + timedelta(seconds=seconds)


def test_only_its_owner_may_read_a_recording(path: Path) -> None:
    written(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_appended_after_a_cut_is_played(path: Path, seconds: Seconds) -> None:
    record(path, b"one", b"two")
    path.write_bytes(path.read_bytes()[:-10])

    resumed = RecordingWriter.resume(path, HEAD)
    resumed.append([RecordedAnswer(at=after(120), url=ADDRESS, status=200, body="three")])
    resumed.close()

    assert [line.body for line in answers_of(path)] == ["one", "three"]


@pytest.mark.parametrize("damage", [b"\1" * 40, gzip.compress(b"no JSON\n", mtime=0), gzip.compress(b"{", mtime=0)])
def test_a_damaged_recording_is_not_continued_and_stays_as_it_is(damage: bytes, path: Path) -> None:
    record(path, b"one")
    path.write_bytes(path.read_bytes() + damage + gzip.compress(b"{}\n"))
    before = path.read_bytes()

    with pytest.raises(BadRecording, match="another file"):
        RecordingWriter.resume(path, HEAD)
    assert path.read_bytes() == before


def test_two_processes_do_not_write_one_recording(path: Path) -> None:
    first = RecordingWriter.create(path, HEAD)

    with pytest.raises(BadRecording, match="another process"):
        RecordingWriter.resume(path, HEAD)
    first.close()
    RecordingWriter.resume(path, HEAD).close()


def test_a_full_disk_leaves_the_recording_as_it_was(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=300k") as disk:
        path = written(disk / "lyon.jsonl.gz", (BEGUN, ADDRESS, "one"))
        filler, before = fill(disk), path.read_bytes()
        resumed = RecordingWriter.resume(path, HEAD)
        noise = "".join(map(str, range(20_000)))
        with pytest.raises(OSError, match="No space left"):
            resumed.append([RecordedAnswer(at=after(60), url=ADDRESS, body=noise)])
        with pytest.raises(OSError, match="No space left"):
            RecordingWriter.create(disk / "other.gz", msgspec.structs.replace(HEAD, url="x" * 60_000 + noise))

        assert path.read_bytes() == before
        assert not (disk / "other.gz").exists()
        filler.unlink()
        resumed.append([RecordedAnswer(at=after(60), url=ADDRESS, body="two")])
        resumed.close()
        assert [line.body for line in answers_of(path)] == ["one", "two"]


def test_a_clock_that_was_set_back_hides_no_answer(path: Path, seconds: Seconds) -> None:
    written(path, (after(90_000), ADDRESS, "one"), (after(0), ADDRESS, "two"), (after(60), ADDRESS, "three"))
    answers = RecordedAnswers(path, speed=1, seconds=seconds)

    heard = []
    for seconds.now in (0, 59, 60):
        heard.append((played(answers), answers.now))
    assert heard == [(b"two", after(0)), (b"two", after(59)), (b"three", after(60))]


def test_a_recording_of_many_addresses_or_huge_answers_fills_no_memory(
    path: Path, seconds: Seconds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded_answers, "KEPT_BYTES_MAX", 10)
    written(path, *((BEGUN, f"{ADDRESS}/{number}", "four") for number in range(100)))
    answers = RecordedAnswers(path, speed=1, seconds=seconds)

    assert answers.through(never, f"{ADDRESS}/1").body == b"four"
    with pytest.raises(NoAnswer, match="too large"):
        answers.through(never, f"{ADDRESS}/2")
    with pytest.raises(NoAnswer, match="not reached"):
        answers.through(never, f"{ADDRESS}/99")


@pytest.mark.parametrize(
    "wrong", [{"url": "ftp://["}, {"url": "https://feed/else"}, {"begun_at": BEGUN.replace(tzinfo=None)}]
)
def test_a_head_that_names_no_feed_is_refused_by_name(wrong: dict[str, Any], path: Path) -> None:
    written(path, head=msgspec.structs.replace(HEAD, **wrong))

    with pytest.raises(UnknownFeed, match="lyon"):
        feed_named(f"replay:{path}")


def test_a_line_without_an_end_fills_no_memory_and_ends_the_recording(path: Path, seconds: Seconds) -> None:
    record(path, b"one")
    with path.open("ab") as file:
        file.write(gzip.compress(b"x" * (LINE_BYTES_MAX + 1)))

    assert [line.body for line in answers_of(path)] == ["one"]
    with pytest.raises(BadRecording, match="cannot be read after line 2"):
        RecordingWriter.resume(path, HEAD)
