"""The operator's pages under `/eventbus/`, each once there is something to see."""

from django.urls import reverse
from playwright.sync_api import Page, expect

from tests.browser.bus_admin_pages import have_failures
from tests.browser.page_states import Reach, Scene, at_desk, cancel_order, enter_desk
from tests.live_site import LiveSite

OPEN_BREAKER = """
from eventbus import clock
from eventbus.models import ConsumerGroup
now = clock.now()
opened = dict(breaker_opened_at=now, breaker_reason="7 of 10 failed")
ConsumerGroup.objects.update_or_create(name="letters", defaults=opened, create_defaults=dict(created_at=now, **opened))
"""
PART = "[data-live]"  # what refreshes itself


def open_breaker(page: Page, site: LiveSite) -> None:
    """Of a group of its own, which no worker of the site has."""
    site.manage("shell", "--verbosity=0", "--command", OPEN_BREAKER)


def follow_order(page: Page, site: LiveSite) -> None:
    """An order's journey, from the link of its page at the desk."""
    cancel_order(page, site)
    enter_desk(page, site)
    [(order_id,)] = site.rows("SELECT id FROM orders_order ORDER BY placed_at DESC LIMIT 1")
    page.goto(reverse("admin:orders_order_change", args=[order_id]))
    page.locator("a[href*='/eventbus/journey/?q=']").click()
    expect(page.locator(".journey__line")).to_be_visible()


def refreshed(url_name: str, *, after: Reach | None = None) -> Reach:
    """A page whose part was fetched once more: htmx has run, and nothing of it was refused by the browser."""

    def reach(page: Page, site: LiveSite) -> None:
        at_desk(url_name, after=after)(page, site)
        with page.expect_response(lambda answer: "part=state" in answer.url and answer.ok):
            page.locator(PART).dispatch_event("refresh")
        expect(page.locator(f"{PART} h1")).to_be_visible()

    return reach


def ask_to_resume(page: Page, site: LiveSite) -> None:
    at_desk("bus-groups", after=open_breaker)(page, site)
    page.locator("#resume-letters").click()
    expect(page.locator(".decide h1")).to_be_visible()


def see_failure(page: Page, site: LiveSite) -> None:
    have_failures(page, site)
    at_desk("bus-failures")(page, site)
    page.locator(".bus-card h2 a").first.click()
    expect(page.locator(".bus-letters")).to_be_visible()


def choose_to_discard(page: Page, site: LiveSite) -> None:
    see_failure(page, site)
    page.locator("button[value=discard]").click()
    expect(page.locator("#yes")).to_be_visible()


def export_failures(page: Page, site: LiveSite) -> None:
    see_failure(page, site)
    page.locator("button[value=export]").click()
    page.locator("#yes").click()
    expect(page.locator("#download")).to_be_visible()


def see_audit_trail(page: Page, site: LiveSite) -> None:
    export_failures(page, site)
    page.goto(reverse("bus-actions"))
    expect(page.locator("tbody tr").first).to_be_visible()


def see_event(page: Page, site: LiveSite) -> None:
    at_desk("bus-events", after=cancel_order)(page, site)
    page.locator("#content-main th a").first.click()
    expect(page.locator(".bus-headers dt").first).to_be_visible()


def see_type(page: Page, site: LiveSite) -> None:
    at_desk("bus-map")(page, site)
    page.locator("svg a[href*='/catalogue/']").first.click()
    expect(page.locator("pre.bus-text").first).to_be_visible()


def choose_replay(page: Page, site: LiveSite) -> None:
    at_desk("bus-groups", after=cancel_order)(page, site)
    page.locator("#replay-orders").click()
    expect(page.locator("#count")).to_be_visible()


def ask_to_replay(page: Page, site: LiveSite) -> None:
    choose_replay(page, site)
    page.locator("#id_offset").fill("0")
    page.locator("#count").click()
    expect(page.locator("#yes")).to_be_visible()


def choose_skip(page: Page, site: LiveSite) -> None:
    at_desk("bus-groups", after=cancel_order)(page, site)
    page.locator("#skip-orders").click()
    expect(page.locator("#count")).to_be_visible()


OPERATOR_SCENES = [
    Scene("bus-choose-skip", "bus-choose-skip", choose_skip),
    Scene("bus-choose-replay", "bus-choose-replay", choose_replay),
    Scene("bus-replay", "bus-replay", ask_to_replay),
    Scene("bus-failures", "bus-failures", refreshed("bus-failures", after=have_failures)),
    Scene("bus-failure", "bus-failure", see_failure),
    Scene("bus-discard", "bus-run", choose_to_discard),
    Scene("bus-export", "bus-run", export_failures),
    Scene("bus-actions", "bus-actions", see_audit_trail),
    Scene("bus-breakers", "bus-breakers", refreshed("bus-breakers", after=open_breaker)),
    Scene("overview", "overview", refreshed("overview", after=open_breaker)),
    Scene("journey", "journey", follow_order),
    Scene("journey-empty", "journey", at_desk("journey")),
    Scene("bus-groups", "bus-groups", refreshed("bus-groups", after=open_breaker)),
    Scene("bus-topics", "bus-topics", refreshed("bus-topics")),
    Scene("bus-processes", "bus-processes", refreshed("bus-processes")),
    Scene("bus-log-level", "bus-log-level", at_desk("bus-log-level")),
    Scene("bus-events", "bus-events", at_desk("bus-events", after=cancel_order)),
    Scene("bus-event", "bus-event", see_event),
    Scene("bus-map", "bus-map", refreshed("bus-map", after=open_breaker)),
    Scene("bus-catalogue", "bus-catalogue", at_desk("bus-catalogue")),
    Scene("bus-catalogue-entry", "bus-catalogue-entry", see_type),
    Scene("bus-resume", "bus-operate-group", ask_to_resume),
]
