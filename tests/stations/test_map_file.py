"""The map file is served in small parts that caches may keep, and never as a whole."""

from pathlib import Path

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from stations.views import map_file
from tests.stations.map_files import write_map_file


@pytest.fixture
def file(tmp_path: Path, settings) -> Path:
    path = write_map_file(tmp_path / "city.pmtiles")
    settings.STATIONS_MAP_FILE = str(path)
    return path


def ask(*, version: str = "", method: str = "get", **headers: str) -> HttpResponse:
    request = getattr(RequestFactory(), method)("/stations/map.pmtiles", {"v": version}, headers=headers)
    return map_file.map_file(request)


@pytest.mark.parametrize(("asked", "first", "last"), [("bytes=0-126", 0, 126), ("bytes=7-7", 7, 7)])
def test_a_range_is_answered_with_these_bytes(file: Path, asked: str, first: int, last: int) -> None:
    answer = ask(Range=asked)

    assert answer.status_code == 206
    assert answer.content == file.read_bytes()[first : last + 1]
    assert answer["Content-Range"] == f"bytes {first}-{last}/{file.stat().st_size}"


def test_no_answer_is_longer_than_the_limit(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_file, "RANGE_BYTES_MAX", 10)

    answer = ask(Range="bytes=5-")

    assert answer.content == file.read_bytes()[5:15]
    assert answer["Content-Range"] == f"bytes 5-14/{file.stat().st_size}"


@pytest.mark.parametrize("asked", ["", "bytes=-5", "bytes=9-3", "bytes=0-1,4-5", "bytes=999999999-", "items=0-5"])
@pytest.mark.parametrize("method", ["get", "head"])
def test_what_is_no_single_range_of_the_file_is_refused(file: Path, method: str, asked: str) -> None:
    answer = ask(method=method, Range=asked)

    assert answer.status_code == 416
    assert answer["Content-Range"] == f"bytes */{file.stat().st_size}"
    assert answer["Cache-Control"] == "no-store"


def test_caches_keep_parts_of_the_version_in_the_address_and_of_no_other(file: Path, settings) -> None:
    settings.ROOT_URLCONF = "tests.stations.map_file_urls"
    version = map_file.map_file_address().partition("?v=")[2]

    assert "immutable" in ask(version=version, Range="bytes=0-9")["Cache-Control"]
    assert ask(version="old", Range="bytes=0-9")["Cache-Control"] == "no-cache"


def test_an_unchanged_file_is_not_sent_again(file: Path) -> None:
    tag = ask(Range="bytes=0-9")["ETag"]

    assert ask(**{"If-None-Match": tag, "Range": "bytes=0-9"}).status_code == 304
    file.write_bytes(file.read_bytes() + b"more")
    assert ask(**{"If-None-Match": tag, "Range": "bytes=0-9"}).status_code == 206


def test_without_a_file_there_is_no_address(settings) -> None:
    settings.STATIONS_MAP_FILE = ""

    assert map_file.map_file_address() == ""
