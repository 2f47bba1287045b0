"""A feed's answers are recorded in a file, and the file is played again as a feed of its own."""

import gzip
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from eventbus import clock
from outside.http import Answer, NoAnswer, Why
from stations.feeds.feed_interface import Key, PollFailed
from stations.feeds.recordings.recorded_answers import RecordedAnswers
from stations.feeds.recordings.recorder import Recorder
from stations.feeds.recordings.recording_file import LAYOUT, BadRecording, Head, answers_of, head_of
from stations.feeds.registry import UnknownFeed, feed_named
from stations.live.feed_health import feeds_remembered
from stations.models import Station
from stations.polling.poller import Poller
from stations.simulator.server import serve
from tests.stations.feed_server import KEY, AnsweringServer
from tests.stations.feed_server import Answer as FeedAnswer
from tests.stations.gbfs_server import GbfsServer, info, stations, status
from tests.stations.rows import v3

HOW_TO = (Path(__file__).parents[2] / "docs" / "how-to" / "record-a-feed.md").read_text()
BEGUN = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


class Seconds:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "Lyon 2.jsonl.gz"


@pytest.fixture(autouse=True)
def at_noon() -> Iterator[None]:
    clock.hold(BEGUN)
    yield
    clock.hold(None)


def record(path: Path, *bodies: bytes | Why, every_seconds: float = 60) -> None:
    """Record these answers of one address, or their absence, one each minute from noon."""
    recorder = Recorder(path)
    recorder.begin(Head(LAYOUT, feed="jcdecaux:lyon", url="http://feed/vls/v3", is_gbfs=False, begun_at=clock.now()))
    for body in bodies:
        with suppress(NoAnswer):
            recorder.through(partial(answered, body), "http://feed/stations")
        recorder.save()
        clock.advance(seconds=every_seconds)
    recorder.close()


def answered(body: bytes | Why) -> Answer:
    if isinstance(body, Why):
        raise NoAnswer(body, arrived=False)
    return Answer(200, body)


def never() -> Answer:
    raise AssertionError("a recording is asked, and no server")


def played(answers: RecordedAnswers) -> bytes:
    return answers.through(never, "http://feed/stations").body


def test_each_minute_is_answered_as_it_was(path: Path, seconds: Seconds) -> None:
    record(path, b"one", b"two", b"\xff no text", b"two")
    answers = RecordedAnswers(path, speed=1, seconds=seconds)

    heard = []
    for seconds.now in (0, 59, 60, 119, 120, 180):
        heard.append(played(answers))

    assert heard == [b"one", b"one", b"two", b"two", b"\xff no text", b"two"]


def test_at_sixty_times_the_speed_an_hour_takes_a_minute(path: Path, seconds: Seconds) -> None:
    record(path, *(str(minute).encode() for minute in range(60)))
    answers = RecordedAnswers(path, speed=60, seconds=seconds)

    heard = []
    for seconds.now in range(60):
        heard.append(int(played(answers)))

    assert heard == list(range(60))


def test_after_its_end_a_recording_begins_again(path: Path, seconds: Seconds) -> None:
    record(path, b"one", b"two")
    answers = RecordedAnswers(path, speed=1, seconds=seconds)
    assert played(answers) == b"one"
    seconds.now = 60
    assert played(answers) == b"two"

    seconds.now = 61
    assert played(answers) == b"one"
    seconds.now = 121
    assert played(answers) == b"two"


def test_a_body_that_stays_the_same_is_written_once(path: Path) -> None:
    record(path, b"one" * 1_000, b"one" * 1_000, b"one" * 1_000)

    assert [bool(line.body) for line in answers_of(path)] == [True, False, False]
    assert len(list(answers_of(path))) == 3


def test_a_recorder_that_was_killed_loses_its_last_poll_alone(path: Path, seconds: Seconds) -> None:
    record(path, b"one", b"two", b"three")
    path.write_bytes(path.read_bytes()[:-10])

    assert [line.body for line in answers_of(path)] == ["one", "two"]


@pytest.mark.parametrize(
    "content", [b"", b"a text\n", gzip.compress(b"a text\n", mtime=0), gzip.compress(b"{}\n" * 3, mtime=0)]
)
def test_a_file_that_is_no_recording_is_refused_by_name(content: bytes, path: Path) -> None:
    path.write_bytes(content)

    with pytest.raises(BadRecording, match="Lyon 2"):
        head_of(path)
    with pytest.raises(UnknownFeed, match="Lyon 2"):
        feed_named(f"replay:{path}")


def recorded_by_command(feed: str, url: str, path: Path, *options: str) -> str:
    out = StringIO()
    call_command("record_stations", feed, str(path), "--url", url, "--minutes", "0.001", *options, stdout=out)
    return out.getvalue()


def test_a_city_is_recorded_and_lives_again_with_the_times_of_now(
    server: AnsweringServer, path: Path, settings: Any
) -> None:
    settings.JCDECAUX_API_KEY = KEY
    reported = BEGUN - timedelta(seconds=40)
    server.will_answer([v3(1, lastUpdate=f"{reported:%Y-%m-%dT%H:%M:%SZ}"), v3(2)])

    said = recorded_by_command("jcdecaux:lyon", server.url, path)

    assert "jcdecaux:lyon: 2 stations, 0 bad, 1 answers recorded" in said
    assert KEY.encode() not in gzip.decompress(path.read_bytes())
    clock.advance(days=200)
    fetched = feed_named(f"replay:test={path}").fetch()
    assert fetched.listed == {Key("replay:test", "1"), Key("replay:test", "2")}
    first = min(fetched.readings, key=lambda reading: reading.key)
    assert first.state.contract == "test"
    assert first.reported_at is not None
    assert abs(clock.now() - first.reported_at - timedelta(seconds=40)) < timedelta(seconds=1)


def test_a_failed_poll_is_recorded_and_fails_again(server: AnsweringServer, path: Path) -> None:
    server.will_answer(FeedAnswer(b"", 404))

    said = json.loads(recorded_by_command("jcdecaux:lyon", server.url, path, "--json"))

    assert (said["ok"], said["answers"]) == (False, 1)
    with pytest.raises(PollFailed, match="no such page"):
        feed_named(f"replay:{path}").fetch()


def test_a_file_is_never_overwritten_and_goes_on_when_asked(server: AnsweringServer, path: Path) -> None:
    server.will_answer([v3(1)])
    recorded_by_command("jcdecaux:lyon", server.url, path)

    with pytest.raises(CommandError, match="--append"):
        recorded_by_command("jcdecaux:lyon", server.url, path)
    with pytest.raises(CommandError, match="a recording of jcdecaux:lyon"):
        recorded_by_command("jcdecaux:nantes", server.url, path, "--append")
    recorded_by_command("jcdecaux:lyon", server.url, path, "--append")

    assert len(list(answers_of(path))) == 2


REFUSED = {
    "of all contracts": (("jcdecaux",), "jcdecaux:lyon"),
    "a recording": (("replay:x.gz",), "recorded already"),
    "too often": (("jcdecaux:lyon", "--interval", "1"), "at least 10 seconds"),
    "no time": (("jcdecaux:lyon", "--minutes", "0"), "above zero"),
    "no such feed": (("trams",), "No feed is called"),
}


@pytest.mark.parametrize(("given", "why"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_recorded_is_refused_and_makes_no_file(given: tuple[str, ...], why: str, path: Path) -> None:
    feed, *options = given

    with pytest.raises(CommandError, match=why):
        call_command("record_stations", feed, str(path), *options)
    assert not path.exists()


def test_the_commands_of_the_how_to_record_a_city_and_play_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    simulator = serve(port=0)
    monkeypatch.chdir(tmp_path)
    settings.SIMULATOR_URL = simulator.url
    [recording] = re.findall(r"`manage\.py (record_stations [^`]+ --minutes) 60`", HOW_TO)
    [played] = re.findall(r"`STATIONS_FEEDS=(\S+) STATIONS_REPLAY_SPEED=60`", HOW_TO)

    try:
        call_command(*recording.split(), "0.001", stdout=StringIO())
    finally:
        simulator.close()

    assert {reading.state.contract for reading in feed_named(played).fetch().readings} == {"lyon"}


PAGES = (
    "/stations/",
    "/stations/feeds/replay-lyon/",
    "/stations/replay-lyon/1/",
    "/stations/history/replay-lyon/1/",
    "/stations/cities/lyon/",
)


@pytest.mark.django_db
def test_pages_call_the_stations_a_recording(
    server: AnsweringServer, path: Path, settings: Any, client: Client
) -> None:
    server.will_answer([v3(1)])
    recorded_by_command("jcdecaux:lyon", server.url, path)
    settings.STATIONS_FEEDS = [f"replay:lyon={path}"]
    Poller(feed_named("replay:lyon")).poll()

    for address in PAGES:
        page = client.get(address)
        assert page.status_code == 200
        assert "recording, played again" in page.content.decode(), address
    assert Station.objects.get().feed == "replay:lyon"
    assert [feed.told()["recorded"] for feed in feeds_remembered()] == [True]


def test_a_system_of_gbfs_is_recorded_without_the_token_of_its_address(
    served: GbfsServer, path: Path, settings: Any
) -> None:
    address = served.system("here", station_information=stations([info()]), station_status=stations([status()]))
    served.documents["/here/gbfs.json?token=s3cret"] = served.documents["/here/gbfs.json"]

    recorded_by_command(f"gbfs:here={address}?token=s3cret", "", path)
    served.documents.clear()
    fetched = feed_named(f"replay:{path}").fetch()

    assert b"s3cret" not in gzip.decompress(path.read_bytes())
    assert [(reading.key, reading.state.bikes) for reading in fetched.readings] == [(Key("replay:lyon-2", "a"), 3)]
