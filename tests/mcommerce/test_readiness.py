"""The thread that looks at what a page needs, and who reads what of it."""

import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from mcommerce import readiness
from mcommerce.readiness import check_thread
from mcommerce.readiness.check_thread import Part, Watch
from mcommerce.serving import draining
from tests.waiting import until

pytestmark = pytest.mark.cluster

TOKEN = "a-token-of-this-test-only"


class World:
    """What is looked at: well, ill or hanging, as a test has it."""

    def __init__(self) -> None:
        self.problem, self.answers = "", threading.Event()
        self.answers.set()

    def check(self) -> str:
        self.answers.wait()
        return self.problem


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.answers.set()


@pytest.fixture
def watching(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """A process whose disk is the world's, looked at all the time."""
    found = Watch([Part("database", lambda: ""), Part("disk", world.check)], seconds=0.01).start()
    monkeypatch.setattr(readiness, "_watching", found)
    until(lambda: set(found.found().values()) == {"ok"}, "a first look")
    yield found
    world.answers.set()
    found.close()


def test_before_the_first_look_nobody_is_sent(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "_watching", Watch([Part("disk", lambda: "")]))

    answer = client.get("/health/ready")

    assert (answer.status_code, answer.json()) == (503, {"status": "unavailable", "failing": ["disk"]})


def test_a_part_that_fails_is_named_and_logged_once(
    client: Client, watching: Watch, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.problem = "full: /srv"
    until(lambda: watching.found()["disk"] != "ok", "the fault")
    answer = client.get("/health/ready")
    world.problem = ""
    until(lambda: watching.found()["disk"] == "ok", "its end")

    assert (answer.status_code, answer.json()) == (503, {"status": "unavailable", "failing": ["disk"]})
    assert client.get("/health/ready").json() == {"status": "ok"}
    assert caplog.messages.count("Not ready: disk: full: /srv") == caplog.messages.count("Ready again: disk") == 1


def test_a_check_that_hangs_is_named_while_the_answer_waits_for_nobody(
    client: Client, watching: Watch, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_thread, "HANGS_SECONDS", 0.0)
    world.answers.clear()

    until(lambda: "no answer for" in watching.found()["disk"], "the fault")

    assert client.get("/health/ready").json()["failing"] == ["disk"]


def test_a_process_that_was_asked_to_stop_wants_no_further_visitors(client: Client, watching: Watch) -> None:
    assert client.get("/health/serving").status_code == 200

    draining.leave()
    try:
        ready, serving, live = (client.get(f"/health/{name}") for name in ("ready", "serving", "live"))
    finally:
        draining.stay()

    assert (ready.status_code, ready.json()["failing"]) == (503, ["leaving"])
    assert (serving.status_code, live.status_code) == (503, 200)


def test_what_all_replicas_lack_at_once_takes_none_of_them_from_visitors(
    client: Client, watching: Watch, world: World
) -> None:
    world.problem = "full: /srv"
    until(lambda: watching.found()["disk"] != "ok", "the fault")

    assert (client.get("/health/ready").status_code, client.get("/health/serving").status_code) == (503, 200)


def test_a_probe_asks_the_database_nothing(client: Client, watching: Watch) -> None:
    """pytest-django refuses any question to it: this test has no database."""
    assert client.get("/health/ready").status_code == 200


def test_a_fault_is_as_old_as_its_first_look_and_a_later_one_is_new(bus_clock, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"disk": "full: /srv"}
    found = Watch([Part("disk", lambda: said["disk"])])
    monkeypatch.setattr(readiness, "_watching", found)
    began = bus_clock.now()

    found.look()
    bus_clock.advance(minutes=5)
    said["disk"] = "full: /srv and /var"
    found.look()
    assert readiness.since("disk") == began

    said["disk"] = ""
    found.look()
    assert readiness.since("disk") is None

    said["disk"] = "full: /srv"
    found.look()
    assert readiness.since("disk") == began + timedelta(minutes=5)


@pytest.mark.django_db
@pytest.mark.parametrize(("is_staff", "reads"), [(True, True), (False, False)])
def test_staff_read_the_details_and_customers_do_not(
    client: Client, watching: Watch, world: World, is_staff: bool, reads: bool
) -> None:
    person = get_user_model().objects.create_user(email="a@shop.example", password="-", is_staff=is_staff)
    client.force_login(person)
    world.problem = "full: /srv"
    until(lambda: watching.found()["disk"] != "ok", "the fault")

    answer = client.get("/health/ready")

    assert answer.status_code == 503
    assert ("/srv" in answer.text, "outside" in answer.json()) == (reads, reads)


@pytest.mark.django_db
def test_staff_without_their_second_factor_read_no_details(client: Client, watching: Watch, settings) -> None:
    settings.STAFF_SECOND_FACTOR = True
    client.force_login(get_user_model().objects.create_user(email="a@shop.example", password="-", is_staff=True))

    assert client.get("/health/ready").json() == {"status": "ok"}


def test_who_shows_the_token_reads_the_details(client: Client, watching: Watch, settings) -> None:
    settings.HEALTH_TOKEN = TOKEN

    shown, guessed = (client.get("/health/ready", headers={"Authorization": f"Bearer {word}"}) for word in (TOKEN, ""))

    assert shown.json() == {"status": "ok", "checks": {"database": "ok", "disk": "ok"}, "outside": {}}
    assert guessed.json() == {"status": "ok"}


def test_the_operations_page_tells_of_every_part() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    table = page.partition("### What ready means")[2].partition("\n\n###")[0]
    told = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))

    assert told == {part.name for part in readiness.parts_of("all")} | {"background", "checks", "leaving"}
