"""Whoever is asked, and whatever comes: an answer, or one word why there is none, within the time and the size."""

import gzip
import logging
import threading
import tracemalloc

import pytest

from outside.http import NoAnswer, Why, ask
from tests.outside.raw_server import Said, drip, drip_of_headers, flood, hang_up, mumbling, saying, silence
from tests.waiting import until

MEGABYTE = 2**20
BOMB = gzip.compress(bytes(300 * MEGABYTE))
GZIPPED = "Content-Encoding: gzip\r\n"

BAD = {
    "silence": (silence, Why.TOO_SLOW),
    "a drip": (drip, Why.TOO_SLOW),
    "a drip of headers": (drip_of_headers, Why.TOO_SLOW),
    "a flood": (flood, Why.TOO_LARGE),
    "a long answer that says so": (saying(b" " * (MEGABYTE + 1)), Why.TOO_LARGE),
    "a bomb": (saying(BOMB, headers=GZIPPED), Why.TOO_LARGE),
    "not packed as it says": (saying(b"[]", headers=GZIPPED), Why.BROKEN_OFF),
    "hung up": (hang_up, Why.BROKEN_OFF),
    "no HTTP": (lambda mumbler, caller: caller.sendall(b"220 mail.example ESMTP\r\n"), Why.BROKEN_OFF),
    "half an answer": (
        lambda mumbler, caller: caller.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[]"),
        Why.BROKEN_OFF,
    ),
}


def failure_of(url: str, *, seconds: float) -> NoAnswer:
    with pytest.raises(NoAnswer) as failed:
        ask("GET", url, seconds=seconds, bytes_max=MEGABYTE)
    return failed.value


def all_is_quiet() -> bool:
    return not any(thread.name == "outside" for thread in threading.enumerate())


@pytest.mark.parametrize(("said", "why"), BAD.values(), ids=BAD)
def test_what_is_no_answer_ends_with_a_reason_and_leaves_no_thread_behind(said: Said, why: Why) -> None:
    with mumbling(said) as mumbler:
        failure = failure_of(mumbler.url, seconds=0.3 if why is Why.TOO_SLOW else 30)

        assert (failure.why, failure.arrived) == (why, True)
        until(all_is_quiet, "the end of the thread that asked")


def test_a_bomb_takes_no_memory() -> None:
    with mumbling(saying(BOMB, headers=GZIPPED)) as mumbler:
        tracemalloc.start()
        failure_of(mumbler.url, seconds=30)
        _now, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert most < 8 * MEGABYTE


def test_who_is_not_there_has_done_nothing() -> None:
    with mumbling(silence) as mumbler:
        nobody = mumbler.url

    failure = failure_of(nobody, seconds=5)

    assert (failure.why, failure.arrived) == (Why.UNREACHABLE, False)
    assert nobody not in repr(failure)


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with mumbling(silence) as elsewhere:
        moved = saying(b"", status="302 Found", headers=f"Location: {elsewhere.url}\r\n")
        with mumbling(moved) as mumbler:
            answer = ask("GET", mumbler.url, seconds=30, bytes_max=MEGABYTE)

        assert (answer.status, elsewhere.callers) == (302, 0)


def test_an_answer_is_read_whole_and_unpacked() -> None:
    with mumbling(saying(gzip.compress(b"[1]"), headers=GZIPPED)) as mumbler:
        answer = ask("GET", mumbler.url, seconds=30, bytes_max=MEGABYTE)

    assert (answer.status, answer.body) == (200, b"[1]")


def test_a_secret_address_stands_in_no_log_and_every_other_one_does(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with mumbling(saying(b"[1]")) as mumbler:
        ask("GET", f"{mumbler.url}/T0/hidden", seconds=30, bytes_max=MEGABYTE, secret_url=True)
        ask("GET", f"{mumbler.url}/known", seconds=30, bytes_max=MEGABYTE)

    with pytest.raises(NoAnswer):
        ask("GET", f"{mumbler.url}/T0/hidden", seconds=5, bytes_max=MEGABYTE, secret_url=True)

    assert "/known" in caplog.text
    assert "hidden" not in caplog.text
