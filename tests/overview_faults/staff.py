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
        self.slowest_seconds = 0.0
        self.unanswered = 0

    def sign_in(self) -> None:
        email = have_account(self._site, superuser=True)
        page = self._browser.get(f"{self._site.door}/accounts/sign-in/", timeout=SIGN_IN_SECONDS)
        form = {"login": email, "password": PASSWORD, "csrfmiddlewaretoken": self._browser.cookies["csrftoken"]}
        page = self._browser.post(page.url, data=form, timeout=SIGN_IN_SECONDS)
        page.raise_for_status()
        assert "overview__verdict" in self._get(OVERVIEW).text, "signing in failed"

    def named(self) -> dict[str, Shown]:
        """What the overview names now, by title. Raises Unanswered."""
        begun = time.monotonic()
        try:
            answer = self._get(PART)
            if UNREAD not in answer.headers:  # the page shows that part too: it names a lock
                answer.raise_for_status()
        except requests.RequestException as error:
            self.unanswered += 1
            raise Unanswered(str(error)) from None
        finally:
            self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - begun)
        found = dict(map(_shown, FAULT.findall(answer.text)))
        [count] = HEADING.findall(answer.text)
        assert int(count) >= len(found), answer.text
        return found

    def clicks_to(self, remedy: re.Pattern[str], shown: Shown) -> int | None:
        """How many clicks from the overview the remedy is: 0 if the fault's own text has it, None if too many."""
        if remedy.search(shown.text):
            return 0
        pages = [shown.link] if shown.link else []
        for clicks in range(1, CLICKS_MAX + 1):
            texts = [self._get(page).text for page in pages]
            if any(remedy.search(text) for text in texts):
                return clicks
            pages = [html.unescape(link) for text in texts for link in dict.fromkeys(LINK.findall(_main(text)))]
        return None

    def press(self, path: str, button: str, **fields: str) -> None:
        """Send the form of that page to `button`, a path."""
        page = self._get(path)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert token, page.text
        self._browser.post(
            f"{self._site.door}{button}",
            data={"csrfmiddlewaretoken": token[1], **fields},
            headers={"Referer": self._site.door},
            timeout=ANSWER_SECONDS,
        ).raise_for_status()

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
