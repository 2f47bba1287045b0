"""What the desk shows of the bus when many events have failed, and what it asks before they are let go."""

from django.urls import reverse
from playwright.sync_api import Page, expect

from tests.browser.page_states import Reach, Scene, at_desk, enter_desk
from tests.live_site import LiveSite

LETTERS = 105  # more than a page of a list
MANY_FAILED = f"""
from eventbus import clock
from eventbus.ids import uuid7
from eventbus.models import ConsumerGroup, DeadLetter, IgnoredType, ParkedEvent, ParkedKey
now, order = clock.now(), "0197b6c2-3b5e-7c11-9f6e-0d5a52c8f0aa"
ConsumerGroup.objects.get_or_create(name="letters", defaults=dict(created_at=now))
what = dict(group="letters", topic="orders", type="order.placed.v1", partition=0, payload=b"{{}}", headers="{{}}")
if not DeadLetter.objects.filter(group="letters").exists():
    DeadLetter.objects.bulk_create(
        DeadLetter(**what, key=order if n == 0 else str(uuid7()), event_id=uuid7(), offset=n, parks=n == 0,
            attempts=8, died_at=now, error_class="AddressMissing" if n % 3 else "KeyError", error="no street",
            handler="shop.letters.handlers.write_letter", code_line=f"shop.letters.addresses.street_of:{{17 + n % 3}}",
            cause=f"{{n % 3:032x}}", traceback="Traceback (most recent call last): ...")
        for n in range({LETTERS})
    )
    key = ParkedKey.objects.create(group="letters", topic="orders", partition=0, key=order, state="dead", due_at=now,
        parked_at=now)
    ParkedEvent.objects.bulk_create(
        ParkedEvent(**what, parked_key=key, key=order, event_id=uuid7(), offset=1_000 + n) for n in range(1_999)
    )
    IgnoredType.objects.create(group="letters", topic="orders", partition=0, type="order.gifted.v1", events=12,
        first_at=now, last_at=now)
"""


def have_failures(page: Page, site: LiveSite) -> None:
    """Of a group of its own, which no worker of the site has."""
    site.manage("shell", "--verbosity=0", "--command", MANY_FAILED)


def see_dead_letters(page: Page, site: LiveSite) -> None:
    have_failures(page, site)
    enter_desk(page, site)
    page.goto(reverse("admin:eventbus_deadletter_changelist") + "?group=letters")


def choose(action: str) -> Reach:
    """Select all, not only those of the page, and press Go."""

    def reach(page: Page, site: LiveSite) -> None:
        see_dead_letters(page, site)
        page.locator("#action-toggle").check()
        page.locator(".actions .question a").click()
        page.locator("select[name=action]").select_option(action)
        page.locator(".actions button[name=index]").click()
        expect(page.locator(".decide")).to_contain_text(str(LETTERS))

    return reach


IGNORED = "admin:eventbus_ignoredtype_changelist"
BUS_SCENES = [
    Scene("desk-dead-letters", "admin:eventbus_deadletter_changelist", see_dead_letters),
    Scene("desk-discard", "admin:eventbus_deadletter_changelist", choose("discard")),
    Scene("desk-ignored-types", IGNORED, at_desk(IGNORED, after=have_failures)),
]
