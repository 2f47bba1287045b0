"""`poll_stations` and `simulate_stations`, as an operator types them."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from io import StringIO
from urllib.parse import quote

import pytest
import requests
from django.conf import settings as django_settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from stations.feeds.feed_errors import Failure
from stations.models import PollPlan, PollRun, Station
from tests.stations.feed_server import KEY, Answer, AnsweringServer
from tests.stations.recorded_feeds import DUBLIN_V1, LYON_V3, needs_recorded, recorded
from tests.stations.rows import BAD_ROWS, GOOD_ROWS, v3

DEADLINE_SECONDS = 90  # for a process to start on a busy machine

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def a_key(settings) -> None:
    settings.JCDECAUX_API_KEY = KEY


def poll(feed: str, url: str, *options: str) -> str:
    out = StringIO()
    try:
        call_command("poll_stations", "--feed", feed, "--url", url, "--once", *options, stdout=out)
    finally:
        poll.said = out.getvalue()
        assert KEY not in poll.said
    return poll.said


@needs_recorded
def test_lyon_is_polled_and_all_its_stations_appear(server: AnsweringServer):
    server.will_answer(recorded(LYON_V3))

    said = poll("jcdecaux:lyon", server.url)

    assert re.fullmatch(r"jcdecaux:lyon: 448 fetched, 0 changed, 448 appeared, 0 gone, 0 bad, \d+ ms\n", said)
    assert Station.objects.filter(feed="jcdecaux:lyon", contract="lyon").count() == 448
    assert Station.objects.filter(reported_at=None).count() == 1


def test_bad_rows_are_said_with_their_reasons_and_end_nothing(server: AnsweringServer):
    server.will_answer([*GOOD_ROWS, *BAD_ROWS.values()])

    said = poll("jcdecaux:lyon", server.url)

    assert f"{len(GOOD_ROWS)} fetched" in said
    assert f"{len(BAD_ROWS)} bad" in said
    assert all(f"  bad: 1 {reason}\n" in said for reason in BAD_ROWS)
    assert Station.objects.count() == len(GOOD_ROWS)


FAILURES = {
    "a page": (Answer(b"<html>"), Failure.NOT_JSON),
    "half an answer": (Answer(b'[{"number": 1, "contr'), Failure.NOT_JSON),
    "forbidden": (Answer(b'{"error": "Unauthorized"}', 403), Failure.KEY_REFUSED),
    "an empty list": (Answer(b"[]"), Failure.EMPTY),
}


@pytest.mark.parametrize(("answer", "reason"), FAILURES.values(), ids=FAILURES)
def test_a_failed_poll_names_its_reason_keeps_the_stations_and_is_an_error(
    answer: Answer, reason: Failure, server: AnsweringServer
):
    server.will_answer([v3(1)], answer)
    poll("jcdecaux:lyon", server.url)

    with pytest.raises(CommandError) as failed:
        poll("jcdecaux:lyon", server.url)

    assert reason in poll.said
    assert KEY not in str(failed.value)
    assert Station.objects.get().gone is False
    assert [run.outcome for run in PollRun.objects.order_by("started")] == ["ok", "failed"]


def test_without_a_key_the_real_feed_is_refused_with_the_remedy(settings):
    settings.JCDECAUX_API_KEY = ""

    with pytest.raises(CommandError):
        poll("jcdecaux:lyon", "https://api.jcdecaux.com/vls/v3")

    assert "JCDECAUX_API_KEY" in poll.said


@pytest.mark.parametrize(("feed", "url"), [("velib", ""), ("jcdecaux", "http://127.0.0.1:1/vls/v2")])
def test_a_feed_or_a_version_that_does_not_exist_is_refused_with_those_that_do(feed: str, url: str):
    with pytest.raises(CommandError, match="jcdecaux|/vls/v1 or /vls/v3"):
        poll(feed, url)


def test_the_contracts_of_a_key_are_listed(server: AnsweringServer):
    lyon = {"name": "Lyon", "commercial_name": "Vélo'v", "country_code": "FR", "cities": ["Lyon", "Villeurbanne"]}
    server.will_answer([lyon, {"name": "jcdecauxbike", "cities": None}])
    out = StringIO()

    call_command("poll_stations", "--feed", "jcdecaux", "--url", server.url, "--contracts", stdout=out)

    assert out.getvalue() == "lyon: Vélo'v, FR, Lyon, Villeurbanne\n"


def test_a_number_of_calls_is_made_and_then_it_ends(server: AnsweringServer):
    server.will_answer([v3(1)], [v3(1, bikes=5, stands=5)], [v3(1)])
    out = StringIO()

    call_command(
        "poll_stations",
        "--feed",
        "jcdecaux:lyon",
        "--url",
        server.url,
        "--interval-ms",
        "200",
        "--calls",
        "2",
        stdout=out,
    )

    assert [line.split(", ")[1] for line in out.getvalue().splitlines()] == ["0 changed", "1 changed"]
    assert (len(server.asked), PollPlan.objects.get().running) == (2, False)


def test_an_interval_that_a_feed_cannot_bear_is_refused_with_the_limit():
    with pytest.raises(CommandError, match="from 10000 to 3600000 ms"):
        call_command("poll_stations", "--feed", "jcdecaux:lyon", "--interval-ms", "500")


def started(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    """`manage.py` in a process of its own, on the test's database."""
    manage = [sys.executable, str(django_settings.BASE_DIR / "manage.py"), *arguments]
    return subprocess.Popen(
        manage, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def database_url() -> str:
    """The test's own database, for another process."""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    place = f"{quote(database['HOST'], safe='')}{':' if database['PORT'] else ''}{database['PORT']}"
    return f"postgres://{database['USER']}:{quote(database['PASSWORD'])}@{place}/{database['NAME']}"


@pytest.fixture
def simulator_process():
    process = started("simulate_stations", "--port", "0", "--seed", "3")
    yield process
    process.kill()
    process.communicate()


def test_the_simulator_says_where_it_answers_and_ends_when_told(simulator_process: subprocess.Popen[str]):
    url = re.search(r"http://\S+/vls/v3", simulator_process.stdout.readline())[0]
    with requests.Session() as session:
        session.trust_env = False
        assert len(session.get(f"{url}/stations?contract=lund&apiKey=any", timeout=5).json()) == 21

    simulator_process.send_signal(signal.SIGTERM)

    assert simulator_process.wait(10) == 0


def test_a_poller_that_is_told_to_end_finishes_the_poll_in_hand(server: AnsweringServer):
    in_hand = threading.Event()
    server.will_answer([v3(1)])
    server.answers[0].hold = lambda: (in_hand.set(), server.released.wait(DEADLINE_SECONDS))
    process = started("poll_stations", "--feed", "jcdecaux:lyon", "--url", server.url, DATABASE_URL=database_url())
    assert in_hand.wait(DEADLINE_SECONDS)

    process.send_signal(signal.SIGTERM)
    server.released.set()
    said, complained = process.communicate(timeout=DEADLINE_SECONDS)

    assert process.returncode == 0, complained
    assert "jcdecaux:lyon: 1 fetched, 0 changed, 1 appeared" in said
    assert Station.objects.get().number == 1


def test_a_port_that_is_taken_is_said(server: AnsweringServer):
    port = server.url.split(":")[2].split("/")[0]

    with pytest.raises(CommandError, match="--port"):
        call_command("simulate_stations", "--port", port)


def test_a_feed_that_asked_for_a_rest_is_not_asked_by_hand_either(server: AnsweringServer):
    server.will_answer(Answer(status=429, headers={"Retry-After": "120"}))
    with pytest.raises(CommandError):
        poll("jcdecaux:lyon", server.url)

    with pytest.raises(CommandError, match="asked for a rest: ask it again after"):
        poll("jcdecaux:lyon", server.url)

    assert len(server.asked) == 1


@needs_recorded
def test_dublin_three_times_changes_at_6_and_at_22_stations(server: AnsweringServer):
    server.will_answer(*map(recorded, DUBLIN_V1))

    polled = [poll_json("jcdecaux:Dublin", server.url_v1) for _ in DUBLIN_V1]

    assert [(each["fetched"], each["changed"], each["appeared"]) for each in polled] == [
        (114, 0, 114),
        (114, 6, 0),
        (114, 22, 0),
    ]


def poll_json(feed: str, url: str) -> dict:
    return json.loads(poll(feed, url, "--json"))
