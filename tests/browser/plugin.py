"""Fixtures: a live site, and a browser that reports every fault of the pages it sees.

`live_site` is shared by all tests, which run in one process; `fresh_site` belongs to one test, which may kill it.
`page` is a browser window of its own; at the end of the test it must have met no fault that the test did not allow (see
`faults.Faults`).
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.chromium import CHROMIUM, CHROMIUM_OPTIONS, REMEDY
from tests.browser.page_faults import Faults
from tests.live_site import LiveSite, running_site

FOLDER = Path(__file__).parent
WAIT_MS = 90_000  # a page on two cores beside the chaos, which at times leaves a site nothing for half a minute
expect.set_options(timeout=WAIT_MS)
SITES = ("deployed_site", "fresh_site", "live_site", "split_site")  # fixtures that a page's test may name
WINDOW = {"width": 1280, "height": 800}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give all tests of pages to one process, which starts one site for them."""
    for item in items:
        if item.path.parent == FOLDER:
            item.add_marker(pytest.mark.xdist_group("browser"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    report = yield
    if report.failed:
        for name in SITES:
            site = getattr(item, "funcargs", {}).get(name)
            if isinstance(site, LiveSite):
                report.sections.append((f"log of {name}", site.log_tail()))
    return report


@pytest.fixture(scope="session")
def prepared_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database with the demo catalogue, made once; sites start from a copy."""
    site = LiveSite(tmp_path_factory.mktemp("prepared"))
    site.prepare()
    return site.database_path


@pytest.fixture(scope="session")
def live_site(tmp_path_factory: pytest.TempPathFactory, prepared_database: Path) -> Iterator[LiveSite]:
    """A running site for tests that leave it as they found it, but for their own cart and orders."""
    with running_site(tmp_path_factory.mktemp("live"), prepared=prepared_database) as site:
        yield site


@pytest.fixture
def fresh_site(tmp_path: Path, prepared_database: Path) -> Iterator[LiveSite]:
    """A running site of this test's own: to stop, kill, fill or break."""
    with running_site(tmp_path, prepared=prepared_database) as site:
        yield site


# Not for the session: Playwright keeps an event loop running in this thread, and Django's ORM refuses to work in it.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a screen."""
    if not CHROMIUM.exists():
        if os.environ.get("CI"):
            pytest.fail(REMEDY)
        pytest.skip(REMEDY)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)
        yield chromium
        chromium.close()


@pytest.fixture
def faults() -> Faults:
    """What goes wrong in this test's pages; `faults.allow(pattern)` for what the test provokes."""
    return Faults()


@pytest.fixture
def browser_language() -> str:
    """The language that windows ask for; a module whose tests shall run in others overrides it."""
    return "en-GB"


@pytest.fixture
def open_page(
    browser: Browser, request: pytest.FixtureRequest, faults: Faults, browser_language: str
) -> Iterator[Callable[..., Page]]:
    """Opens windows that share nothing: open_page(locale="fr-FR", color_scheme="dark", viewport={...}, ...)."""
    site = next((request.getfixturevalue(name) for name in SITES if name in request.fixturenames), None)
    own_origins = site.origins if site else []
    contexts = []

    def open_one(**options) -> Page:
        base_url = site.url if site else None
        settings = {"base_url": base_url, "viewport": WINDOW, "locale": browser_language, "timezone_id": "UTC"}
        context = browser.new_context(**settings | options)
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        faults.watch(context, own_origins)
        return context.new_page()

    yield open_one
    for context in contexts:
        context.close()
    faults.check()


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    """One window, 1280 pixels wide, in `browser_language`."""
    return open_page()
