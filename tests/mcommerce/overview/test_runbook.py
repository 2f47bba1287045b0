"""An operator who reads a fault on the overview finds its section in the runbook."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import override_settings

from eventbus import clock
from eventbus.operations import status
from mcommerce.features.installed import declared
from mcommerce.notices import failing_ways
from mcommerce.overview import faults
from mcommerce.payment.services import webhook_refusals
from outside import circuit_breaker
from stations.live.feed_health import problems
from stations.models import PollRun
from tests.live_site import ROOT

PAGE = ROOT / "docs/runbook.md"
ASKED = ("Customers", "Look first", "Remedy", "Over when")
FEED, SERVICE = "jcdecaux:lyon", "lamp shop"
PROVIDER = "sandbox"
NAMES = {"%(about)s": "<group>", FEED: "<feed>", SERVICE: "<service>", PROVIDER: "<provider>"}
WAYS = ("mail", "webhook")
PROBLEMS = {  # of the features, whose titles are written below
    "mcommerce.payment.services.webhook_refusals.problems",
    "mcommerce.notices.failing_ways.problems",
    "stations.live.feed_health.problems",
}

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def services() -> Iterator[None]:
    circuit_breaker.forget()
    yield
    circuit_breaker.forget()


def test_every_fault_has_its_section_and_no_section_is_of_another() -> None:
    assert set(sections()) == {written(title) for title in titles()}


@pytest.mark.parametrize("title", re.findall(r"^## (.+)$", PAGE.read_text(), re.MULTILINE))
def test_a_section_answers_the_operators_four_questions_in_order(title: str) -> None:
    section = sections()[title.replace("`", "")]

    assert re.findall(r"^- \*\*([^*]+):\*\* \S", section, re.MULTILINE) == list(ASKED)


# --- how it is found out -------------------------------------------------------------------------------------------


def sections() -> dict[str, str]:
    """The text of each section of the runbook by its title, in which backticks only guard a placeholder."""
    found = re.split(r"^## (.+)\n", PAGE.read_text(), flags=re.MULTILINE)[1:]
    assert len(set(found[::2])) == len(found[::2]), "one section for each fault"
    return {title.replace("`", ""): text for title, text in zip(found[::2], found[1::2], strict=True)}


def written(title: str) -> str:
    """The title with the placeholders of the runbook instead of names."""
    for name, placeholder in NAMES.items():
        title = title.replace(name, placeholder)
    return title


def titles() -> set[str]:
    """The titles of all faults that the overview can name."""
    of_bus = {str(title) for title, _model in faults.KINDS.values()}
    of_features = titles_of_feeds() | titles_of_refused_webhooks() | titles_of_failing_ways()
    return of_bus | {str(title) for title in faults.PARTS.values()} | titles_of_services() | of_features


def titles_of_services() -> set[str]:
    """The titles that are added while a service does not answer."""
    before = {one.title for one in faults.faults(status.status())}
    service = circuit_breaker.service(SERVICE, at="here")
    for _call in range(circuit_breaker.FAILURES_MAX):
        with pytest.raises(OSError, match="gone"), service.asked():
            raise OSError("gone")
    return {one.title for one in faults.faults(status.status())} - before


def titles_of_feeds() -> set[str]:
    """The titles of a feed whose last poll is good or failed, just now or long ago."""
    assert set(declared("problems")) == PROBLEMS, "write the titles of its faults here"
    found = set()
    with override_settings(STATIONS_FEEDS=[FEED]):
        for outcome in PollRun.Outcome:
            for hours in (0, 1):
                PollRun.objects.all().delete()
                started = clock.now() - timedelta(hours=hours)
                PollRun.objects.create(feed=FEED, ms=1, started=started, outcome=outcome, reason="unreachable")
                found |= {one.heading for one in problems()}
    return found


def titles_of_refused_webhooks() -> set[str]:
    for _refusal in range(webhook_refusals.TOLD_FROM):
        webhook_refusals.note_refused(provider=PROVIDER, reason="too old", now=clock.now(), is_signed=True)
    return {one.heading for one in webhook_refusals.problems()}


def titles_of_failing_ways() -> set[str]:
    """The titles of all ways by which notices leave, with a placeholder for the way."""
    failing_ways.note(dict.fromkeys(WAYS, "gone"), clock.now())
    with override_settings(EVENTBUS_NOTIFY_MAIL=["ada@example.com"], EVENTBUS_NOTIFY_WEBHOOK="https://here/"):
        found = failing_ways.problems()
    assert [one.about for one in found] == list(WAYS)
    return {one.heading.replace(one.about, "<way>") for one in found}
