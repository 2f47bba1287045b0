"""A recording is passed on: no key, token or password of the feed is in it."""

import gzip
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError

from outside.http import Answer
from stations.feeds.feed_interface import PollFailed
from stations.feeds.recordings.masking import Mask, covered
from stations.feeds.recordings.recorder import Recorder
from stations.feeds.recordings.recording_file import LAYOUT, Head, answers_of
from stations.feeds.registry import feed_named
from tests.stations.feed_server import KEY, AnsweringServer
from tests.stations.feed_server import Answer as FeedAnswer
from tests.stations.gbfs_server import GbfsServer, info, stations, status
from tests.stations.test_recordings import BEGUN, recorded_by_command

HEAD = Head(LAYOUT, feed="jcdecaux:lyon", url="http://feed/vls/v3", is_gbfs=False, begun_at=BEGUN)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lyon.jsonl.gz"


def text_of(path: Path) -> str:
    return gzip.decompress(path.read_bytes()).decode()


def test_a_key_that_the_server_sends_back_is_not_in_the_file(
    server: AnsweringServer, path: Path, settings: Any
) -> None:
    settings.JCDECAUX_API_KEY = KEY
    told = json.dumps({"error": f"key {KEY} is of nobody"}).encode()
    server.will_answer(FeedAnswer(told, 403, {"Location": f"/vls/v3/stations?apiKey={KEY}&was={KEY}"}))

    recorded_by_command("jcdecaux:lyon", server.url, path)

    assert KEY not in text_of(path)
    with pytest.raises(PollFailed, match="refused"):
        feed_named(f"replay:{path}").fetch()


def test_tokens_in_the_addresses_that_a_document_lists_are_masked_and_the_recording_plays(
    served: GbfsServer, path: Path
) -> None:
    address = served.system("here", station_information=stations([info()]), station_status=stations([status()]))
    found, body, headers = served.documents["/here/gbfs.json"]
    for name in ("station_information", "station_status"):
        own = f"/here/{name}.json"
        served.documents[f"{own}?access_token=f00dfeed99&x=1"] = served.documents.pop(own)
        body = body.replace(own.encode(), f"{own}?access_token=f00dfeed99&x=1".encode())
    served.documents["/here/gbfs.json"] = (found, body, headers)

    recorded_by_command(f"gbfs:here={address}", "", path)
    served.documents.clear()

    assert "f00dfeed99" not in text_of(path)
    assert len(feed_named(f"replay:{path}").fetch().readings) == 1


SECRETS = {
    "a user and a password": "https://me:S3cret-99@feed/gbfs.json",
    "a token": "https://feed/gbfs.json?a=1&token=S3cret-99",
    "an encoded name": "https://feed/gbfs.json?api%4Bey=S3cret-99",
    "a signature": "https://feed/gbfs.json?X-Amz-Signature=S3cret-99&y=2",
    "after a semicolon": "https://feed/gbfs.json?a=1;token=S3cret-99;b",
    "after a hash": "https://feed/gbfs.json#access_token=S3cret-99",
    "twice": "https://feed/S3cret-99/gbfs.json?key=S3cret-99",
}


@pytest.mark.parametrize("address", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("escape", [str, lambda text: text.replace("/", r"\/").replace("&", r"\u0026")])
def test_a_secret_of_an_address_is_masked_there_and_in_bodies(
    address: str, escape: Callable[[str], str], path: Path
) -> None:
    recorder = Recorder(path)
    recorder.begin(HEAD)
    recorder.through(lambda: Answer(200, f'{{"url":"{escape(address)}"}}'.encode(), {"Location": address}), address)
    recorder.save()
    recorder.close()

    assert "S3cret" not in text_of(path)
    [line] = answers_of(path)
    assert covered(line.url) == line.url
    assert json.loads(line.body or "")["url"].startswith("https://")


def test_an_address_with_a_password_is_refused_and_makes_no_file(path: Path) -> None:
    with pytest.raises(CommandError, match="password"):
        recorded_by_command("gbfs:here=https://me:S3cret-99@feed/gbfs.json", "", path)
    assert not path.exists()


def test_a_body_that_is_made_to_be_hard_to_mask_takes_no_time() -> None:
    for body in (b"?a=1;" * 200_000, b'"' + b"a" * 1_000_000, b"://" * 300_000, b"key=" * 200_000):
        began = time.process_time()
        Mask(["unlikely-word"]).body(body)
        assert time.process_time() - began < 5


def test_no_log_holds_the_token_of_a_gbfs_address(served: GbfsServer, caplog: pytest.LogCaptureFixture) -> None:
    address = served.system("here", station_information=stations([info()]), station_status=stations([status()]))
    served.documents["/here/gbfs.json?access_token=s3cret"] = served.documents["/here/gbfs.json"]

    with caplog.at_level("DEBUG"):
        feed_named(f"gbfs:here={address}?access_token=s3cret").fetch()

    assert "access_token=***" in caplog.text
    assert "s3cret" not in caplog.text
