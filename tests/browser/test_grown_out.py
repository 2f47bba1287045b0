"""Payment as a site of its own: apps, database, processes and all, as docs/growing-out.md has it, over Apache Kafka."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import page_states
from tests.browser.test_split_site import until
from tests.live_site import ROOT, LiveSite
from tests.split_site import SplitSite
from tests.tcp_router import FrontDoor

pytestmark = pytest.mark.sites

PAGE = (ROOT / "docs" / "growing-out.md").read_text()
FILES = dict(re.findall(r"^```python\n# (\w+\.py)\n(.+?)^```", PAGE, re.MULTILINE | re.DOTALL))
SHARED = ("KAFKA_PREFIX", "SITE_URL", "SANDBOX_PROVIDER_URL")
PAYMENT_GROUPS = {"payment", "payment-checks", "payment-refunds"}


class Site(SplitSite):
    """One of the two: on SQLite, with the settings of that name from the page."""

    def __init__(self, directory: Path, servers: str, code: Path, settings: str, source: str, door: str) -> None:
        self.door = door  # the role that answers visitors
        directory.mkdir()
        super().__init__(directory, f"sqlite:///{directory / 'site.sqlite3'}", servers)
        self.environment |= {
            "PYTHONPATH": str(code),
            "DJANGO_SETTINGS_MODULE": settings,
            "EVENTBUS_SOURCE": source,
            "SECRET_KEY": "one-for-both-sites-of-this-test-and-long-enough",
        }

    rows = LiveSite.rows

    def groups(self) -> set[str]:
        return {name for (name,) in self.rows("SELECT name FROM eventbus_consumergroup")}

    def tables(self) -> set[str]:
        return {name.partition("_")[0] for (name,) in self.rows("SELECT name FROM sqlite_master WHERE type = 'table'")}


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory, kafka: str) -> Iterator[tuple[Site, Site]]:
    """The shop without payment, and payment alone. A door before them, and behind payment its company."""
    folder = tmp_path_factory.mktemp("grown-out")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    shop = Site(folder / "shop", kafka, folder, "shop_settings", "/mcommerce", "live")
    payment = Site(folder / "payment", kafka, folder, "payment_settings", "/mcommerce/payment", "pages")
    payment.environment |= {name: shop.environment[name] for name in SHARED}
    with ExitStack() as stack:
        for site in (shop, payment):
            stack.callback(site.kill)
            site.manage("eventbus", "topics", "--apply")
        for site in (shop, payment):
            site.manage("migrate", "--verbosity=0")
        shop.manage("load_demo_catalogue")
        payment.stand_in("company", "sandbox_provider")
        for site in (shop, payment):
            for role in (site.door, "relay", "handle"):
                site.play(role, role)
        for site in (shop, payment):
            site.await_ready(site.door)
        ways = {"/payment/": payment.address(payment.door), "/": shop.address(shop.door)}
        stack.enter_context(FrontDoor(shop.port, ways, one_by_one=True))
        yield shop, payment
        for site in (shop, payment):
            site.check_events()


@pytest.fixture(scope="module")
def split_site(sites: tuple[Site, Site]) -> SplitSite:
    """Where a browser goes, and whose log is shown when it fails."""
    return sites[0]


@pytest.mark.usefixtures("split_site")
def test_an_order_is_paid_at_a_site_that_shares_no_table_with_the_shop(page: Page, sites: tuple[Site, Site]) -> None:
    shop, payment = sites

    page_states.go_to_pay(page, shop)
    page_states.type_card(page, page_states.GOOD_CARD)

    page.wait_for_url(shop.url + "/orders/*/")
    expect(page.locator(".page-head .badge--good")).to_be_visible()
    until(lambda: {"mail", "products"} <= heard(shop, "order.paid.v1"), "what follows from it")
    assert shop.rows("SELECT state FROM orders_order") == [("paid",)]
    assert payment.rows("SELECT status, captured > 0 FROM payment_payment") == [("succeeded", 1)]
    assert shop.ended() + payment.ended() == []
    for site in sites:
        site.manage("eventbus", "status")  # or it says what is wrong, and that the delivery audit does not balance


def heard(site: Site, kind: str) -> set[str]:
    """The groups of this site that have handled an event of this type which it told."""
    question = """SELECT DISTINCT inbox."group" FROM eventbus_inbox inbox
        JOIN eventbus_outbox event ON event.event_id = inbox.event_id WHERE event.type = ?"""
    return {name for (name,) in site.rows(question, kind)}


def test_neither_has_the_groups_or_the_tables_of_the_other(sites: tuple[Site, Site]) -> None:
    shop, payment = sites

    assert payment.groups() == PAYMENT_GROUPS
    assert {"mail", "orders", "products", "stations"} <= shop.groups()
    assert PAYMENT_GROUPS.isdisjoint(shop.groups())
    assert "payment" not in shop.tables()
    assert {"accounts", "auth", "orders", "products", "stations"}.isdisjoint(payment.tables())
