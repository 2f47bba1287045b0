"""A member of staff with a browser: looks at the overview as often as its page does, and follows its links."""

import html
import re
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import requests

from tests.browser.actors import PASSWORD, have_account
from tests.overview_faults.site import WholeSite

UNREAD = "X-Overview-Unread"
OVERVIEW, PART = "/eventbus/", "/eventbus/?part=state"
LOOK_SECONDS = 1.0  # between two looks; the page itself looks every five seconds
ANSWER_SECONDS = 20.0  # what a browser would wait for longer is no answer
SIGN_IN_SECONDS = 60.0  # for a site that has just begun
CLICKS_MAX = 2
FAULT = re.compile(r'<li class="fault">\s*<h2.*?</li>', re.DOTALL)  # without what the doctor advises below
TITLE = re.compile(r'class="fault__title">(?:<a href="([^"]*)">)?([^<]+)')
LINK = re.compile(r'href="((?:/eventbus/|/admin/eventbus/|/stations/)[^"]*)"')
HEADING = re.compile(r"data-faults=\"(\d+)\"")


class Shown(NamedTuple):
    """A fault as the page shows it: its title, the path behind the title, and its text."""

    title: str
    link: str
    text: str


class Unanswered(Exception):
    """The overview could not be drawn."""


class Staff:
    """Signed in to the process that draws the overview."""

    def __init__(self, site: WholeSite) -> None:
        self._site = site
        self._browser = requests.Session()
        self._browser.trust_env = False

    def sign_in(self) -> None:
        email = have_account(self._site, superuser=True)
        page = self._browser.get(f"{self._site.door}/accounts/sign-in/", timeout=SIGN_IN_SECONDS)
        form = {"login": email, "password": PASSWORD, "csrfmiddlewaretoken": self._browser.cookies["csrftoken"]}
        page = self._browser.post(page.url, data=form, timeout=SIGN_IN_SECONDS)
        page.raise_for_status()
        assert "overview__verdict" in self._get(OVERVIEW).text, "signing in failed"

    def named(self) -> dict[str, Shown]:
        """What the overview names now, by title. Raises Unanswered."""
        try:
            answer = self._get(PART)
            if UNREAD not in answer.headers:  # the page shows that part too: it names a lock
                answer.raise_for_status()
        except requests.RequestException as error:
            raise Unanswered(str(error)) from None
        found = dict(map(_shown, FAULT.findall(answer.text)))
        [count] = HEADING.findall(answer.text)
        assert int(count) >= len(found), answer.text
        return found

    def finds(self, remedy: re.Pattern[str], shown: Shown) -> bool:
        """Whether the fault's own text has the remedy, or a page that is two clicks away at most."""
        texts, pages = [shown.text], [shown.link] if shown.link else []
        for _click in range(CLICKS_MAX):
            if any(remedy.search(text) for text in texts):
                return True
            texts = [self._get(page).text for page in pages]
            pages = [html.unescape(link) for text in texts for link in dict.fromkeys(LINK.findall(_main(text)))]
        return any(remedy.search(text) for text in texts)

    def _get(self, path: str) -> requests.Response:
        return self._browser.get(f"{self._site.door}{path}", timeout=ANSWER_SECONDS)


def _main(page: str) -> str:
    return page.partition("<main")[2] or page


def _shown(fault: str) -> tuple[str, Shown]:
    found = TITLE.search(fault)
    assert found, fault
    title = html.unescape(found[2])
    return title, Shown(title, html.unescape(found[1] or ""), html.unescape(re.sub(r"<[^>]+>", " ", fault)))


def looks(staff: Staff, holds: Callable[[dict[str, Shown]], bool], seconds: float) -> tuple[float | None, set[str]]:
    """Look until it holds. Return after how many seconds, None if never, and the titles that were there meanwhile."""
    begun, titles = time.monotonic(), set[str]()
    while time.monotonic() < begun + seconds:
        with suppress(Unanswered):
            found = staff.named()
            titles |= set(found)
            if holds(found):
                return time.monotonic() - begun, titles
        time.sleep(LOOK_SECONDS)  # between two looks of a poll that has a deadline
    return None, titles
