"""Staff open the overview: it names what is wrong, since when, and leads to the page with the remedy."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from eventbus import Permanent, clock
from eventbus.models import ConsumerGroup, IgnoredType, ProcessRow
from eventbus.operations.problem import Problem
from mcommerce import readiness
from mcommerce.accounts.models import User
from mcommerce.overview import faults as fault_list
from mcommerce.overview.faults import KINDS, PARTS
from stations.models import PollPlan, PollRun
from tests.eventbus.bus_app import House, Mended
from tests.live_site import ROOT
from tests.mcommerce.overview.conftest import FEED

PAGE = "/eventbus/"

pytestmark = pytest.mark.django_db(transaction=True)


def faults(client: Client, **headers: str) -> dict[str, str]:
    """The faults that the page shows: each title with its link."""
    html = client.get(PAGE, headers=headers).content.decode()
    found = re.findall(r'class="fault__title">(?:<a href="([^"]*)">)?([^<]+)', html)
    return {title: link.replace("&amp;", "&") for link, title in found}


def test_a_well_site_says_so(operator: Client) -> None:
    answer = operator.get(PAGE)

    assert faults(operator) == {}
    assert "All is well" in answer.content.decode()


def test_dead_letters_are_named_with_the_list_that_has_the_remedy(operator: Client, house: House) -> None:
    house.handler("house-a", Mended("vase", error=Permanent("poison")))
    ProcessRow.objects.update(assignment={name: [] for name in ConsumerGroup.objects.values_list("name", flat=True)})
    house.say(("vase", 1))
    house.settle()

    assert faults(operator) == {"Events could not be handled": reverse("bus-failures")}
    page = operator.get(PAGE).content.decode()
    assert 'class="fault__since"' in page
    assert f"{reverse('admin:eventbus_deadletter_changelist')}?group=house-a" in page


def test_a_silent_process_and_a_site_that_nobody_relays_are_shown(operator: Client) -> None:
    ProcessRow.objects.update(beat_at=clock.now() - timedelta(seconds=50), host="elsewhere")

    assert "No process relays events" in faults(operator)
    assert "overview__silent" in operator.get(PAGE).content.decode()


def test_a_feed_that_fails_is_named_and_gone_with_its_next_good_poll(operator: Client) -> None:
    poll = {"feed": FEED, "ms": 1}
    PollRun.objects.create(**poll, started=clock.now(), outcome="failed", reason="unreachable")
    assert faults(operator) == {f"The feed {FEED} fails": reverse("stations:producer")}

    PollRun.objects.create(**poll, started=clock.now(), outcome="ok")

    assert faults(operator) == {}


def test_a_feed_that_an_operator_stopped_is_no_fault(operator: Client) -> None:
    long_ago = clock.now() - timedelta(hours=1)
    PollRun.objects.create(feed=FEED, ms=1, started=long_ago, outcome="ok")
    assert faults(operator) == {f"The feed {FEED} is not polled": reverse("stations:producer")}

    PollPlan.objects.create(feed=FEED, running=False, interval_ms=60_000, changed_at=long_ago)

    assert faults(operator) == {}


def test_a_service_that_is_away_leads_to_its_breaker_and_a_feed_is_named_once(
    operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = {"payment provider": "open", f"feed {FEED}": "open", "mail server": "closed"}
    monkeypatch.setattr(fault_list, "states", lambda: away)
    PollRun.objects.create(feed=FEED, ms=1, started=clock.now(), outcome="failed", reason="unreachable")

    assert faults(operator) == {
        f"The feed {FEED} fails": reverse("stations:producer"),
        "payment provider does not answer this server": reverse("bus-breakers"),
    }


def test_faults_of_one_kind_are_all_shown(operator: Client) -> None:
    of_a_group = {"group": "mail", "topic": "orders", "partition": 0, "events": 3}
    for name in ("order.gifted.v1", "order.wrapped.v1"):
        IgnoredType.objects.create(**of_a_group, type=name, first_at=clock.now(), last_at=clock.now())

    page = operator.get(PAGE).content.decode()

    assert page.count('class="fault__title"') == 2
    assert "order.gifted.v1" in page and "order.wrapped.v1" in page


def test_a_full_disk_is_named(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "disk_problem", lambda **asked: "/var is full: make room there")

    assert list(faults(operator)) == ["A disk is full"]
    assert "/var is full: make room there" in operator.get(PAGE).content.decode()


def test_the_page_speaks_french(operator: Client) -> None:
    ConsumerGroup.objects.filter(name="mail").update(breaker_opened_at=clock.now(), breaker_reason="7 of 10 failed")

    assert list(faults(operator, **{"accept-language": "fr"})) == ["Le disjoncteur du groupe mail est ouvert"]


def test_the_admin_links_to_it(operator: Client, client: Client) -> None:
    link = f'<a href="{PAGE}">Overview</a>'
    assert link in operator.get(reverse("admin:index")).content.decode()

    client.force_login(User.objects.create_user("eve@example.com", is_staff=True))

    assert link not in client.get(reverse("admin:index")).content.decode()


def test_every_kind_of_problem_and_every_part_has_a_title(settings: Any) -> None:
    sources = [file.read_text() for file in (ROOT / "eventbus").rglob("*.py")]
    kinds = {kind for text in sources for kind in re.findall(r'(?:kind=|of_kind\()"([-a-z]+)"', text)}

    assert kinds | {"feature", "untrusted"} == set(KINDS)  # these two are made by the overview
    settings.RUN_BUS_IN_SERVER = True
    assert {part.name for part in readiness.parts_of("all")} <= set(PARTS)


def test_a_feature_that_cannot_tell_its_faults_hides_no_others(
    operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> list[Problem]:
        raise LookupError("the feeds are gone")

    monkeypatch.setattr("stations.live.feed_health.problems", broken)
    ConsumerGroup.objects.filter(name="mail").update(breaker_opened_at=clock.now(), breaker_reason="7 of 10 failed")

    assert set(faults(operator)) == {
        "A part of the site cannot tell its faults",
        "The circuit breaker of group mail is open",
    }
    assert "stations.live.feed_health.problems cannot tell the faults of its feature: LookupError." in (
        operator.get(PAGE).content.decode()
    )
