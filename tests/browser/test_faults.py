"""The watch over the pages sees what it is there to see."""

from urllib.parse import quote

import pytest
from playwright.sync_api import Browser

from tests.browser.page_faults import Faults

NOBODY_LISTENS = "http://127.0.0.1:9/pixel.png"


def visit(browser: Browser, html: str, own_origins: list[str]) -> Faults:
    faults = Faults()
    context = browser.new_context()
    faults.watch(context, own_origins)
    context.new_page().goto("data:text/html," + quote(html), wait_until="load")
    context.close()
    return faults


@pytest.mark.parametrize(
    ("html", "told"),
    [
        ("<script>console.error('Ouch')</script>", "console: Ouch"),
        ("<script>throw new Error('Ouch')</script>", "script: "),
        ("<meta http-equiv=Content-Security-Policy content=\"img-src 'none'\"><img src='data:,'>", "CSP: img-src"),
        (f"<img src='{NOBODY_LISTENS}'>", "foreign request: " + NOBODY_LISTENS),
        (f"<img src='{NOBODY_LISTENS}'>", "request failed: " + NOBODY_LISTENS),
    ],
)
def test_a_fault_in_a_page_is_found(browser: Browser, html: str, told: str) -> None:
    faults = visit(browser, html, [])

    assert any(told in fault for fault in faults.found()), faults.found()
