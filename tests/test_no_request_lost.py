"""Replicas are killed and replaced while people shop, and nobody notices: the shipped proxy asks another one."""

import http.client
import re
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.message import Message
from pathlib import Path
from urllib.parse import urlencode, urljoin

import pytest

from tests.live_site import ROOT
from tests.proxied_site import ProxiedSite, caddy
from tests.waiting import START_SECONDS, until

pytestmark = pytest.mark.sites

MANUAL = ROOT / "docs" / "operations.md"
REQUESTS_MIN = 1_000
VISITORS = 6  # at once; each asks one thing after the other
PAGES = ("/cart/count/", "/accounts/sign-in/", "/cart/count/", "/health/live")
HOME = {
    "recipient": "Ada Lovelace",
    "street": "12 rue des Fleurs",
    "postal_code": "69001",
    "city": "Lyon",
    "country": "FR",
}
ADDRESSES = 15  # that one account adds: fewer than it may have
ACCOUNTS = 40
PIECES = 15  # of one product in one cart, before a visitor begins another: fewer than are allowed
ANSWER_SECONDS = 60  # a machine with other work; a lost request answers at once, or never
UNUSUAL_SHOWN = 20  # answers in the message of a failure; its end is the first thing that a log cuts
BEGINNING_CHARACTERS = 120  # of such an answer
TOKEN = "a" * 32
SIGN_IN = f"""
from django.test import Client
from mcommerce.accounts.models import User
for number in range({ACCOUNTS}):
    user = User.objects.create(email=f"ada{{number}}@example.com")
    user.trust_email()
    browser = Client()
    browser.force_login(user)
    print(browser.session.session_key)
"""
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


class Crowd:
    """People who read, fill carts piece by piece, add addresses, and open sockets. What they met is counted.

    A browser that is asked to send a form again does so.
    """

    def __init__(self, site: ProxiedSite, product_id: str, sessions: list[str]) -> None:
        self._site, self._sessions = site, sessions * ADDRESSES
        self.addresses = 0  # that a visitor was told to have added
        self._form = urlencode({"csrfmiddlewaretoken": TOKEN, "product_id": product_id, "quantity": 1})
        self.met: Counter[tuple[str, int | str]] = Counter()
        self.again = 0  # forms that a browser was asked to send again
        self._unusual: list[str] = []  # when, what, and how the answer began, of what was no plain answer
        self.carts: Counter[str] = Counter()  # by id: so many pieces the visitor was told to have put into it
        self._cookies: dict[str, str] = {}  # the newest of each
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._visit, args=(number,)) for number in range(VISITORS)]

    def __enter__(self) -> "Crowd":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def asked(self) -> int:
        with self._lock:
            return self.met.total()

    def failed(self) -> dict[tuple[str, int | str], int]:
        """What was met that was neither a page, nor the way on to the cart, nor an open socket."""
        well = {("read", 200), ("bought", 302), ("moved", 302), ("socket", 101)}
        with self._lock:
            return {met: count for met, count in self.met.items() if met not in well}

    def answers(self) -> str:
        """The last answers that were errors, or asked for the form again, a line each."""
        return "\n".join(self._unusual[-UNUSUAL_SHOWN:])

    def pieces_found(self) -> Counter[str]:
        """What each cart has in the end, as its own visitor sees it."""
        return Counter({cart: self._pieces(self._cookies[cart]) for cart in self.carts})

    def _pieces(self, cookie: str) -> int:
        _status, _headers, page = self._ask("GET", "/cart/count/", headers={"Cookie": f"cart={cookie}"})
        [count] = re.findall(r'data-count="(\d+)"', page)
        return int(count)

    def _visit(self, number: int) -> None:
        turn, cart = number, ""
        while not self._stop.is_set():
            turn += 1
            if turn % 5 == 0:
                met = "bought"
                status, cart = self._buy(cart if self.carts[cart] < PIECES else "")
            elif turn % 6 == 0 and self._sessions:
                met, status = "moved", self._add_address(self._sessions.pop())
            elif turn % 7 == 0:
                origin = {"Origin": self._site.url}
                met, status = "socket", self._ask("GET", "/ws/stations/", headers=HANDSHAKE | origin)[0]
            else:
                met, status = "read", self._ask("GET", PAGES[turn % len(PAGES)])[0]
            with self._lock:
                self.met[met, status] += 1

    def _buy(self, cart: str) -> tuple[int | str, str]:
        """One piece more in that cart, or in a new one; what came of it, and the cart."""
        cookie = f"; cart={self._cookies[cart]}" if cart else ""
        status, told = self._send("/cart/add/", self._form, cookie)
        if status != 302:
            return status, cart
        [cookie] = [one[5:].partition(";")[0] for one in told.get_all("Set-Cookie", []) if one.startswith("cart=")]
        cart = cookie.partition(":")[0]
        with self._lock:
            self._cookies[cart] = cookie
            self.carts[cart] += 1
        return status, cart

    def _add_address(self, session: str) -> int | str:
        form = urlencode(HOME | {"csrfmiddlewaretoken": TOKEN})
        status, _told = self._send("/accounts/addresses/new/", form, f"; sessionid={session}")
        with self._lock:
            self.addresses += status == 302
        return status

    def _send(self, path: str, form: str, cookie: str) -> tuple[int | str, Message]:
        """A form, once more if the proxy asks for it."""
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": f"csrftoken={TOKEN}{cookie}"}
        status, told, _page = self._ask("POST", path, form, headers)
        if status == 307:
            with self._lock:
                self.again += 1
            status, told, _page = self._ask("POST", urljoin(path, told["Location"]), form, headers)
        return status, told

    def _ask(
        self, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int | str, Message, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self._site.port, timeout=ANSWER_SECONDS)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            page = "" if answer.status == 101 else answer.read().decode()
            if answer.status not in {101, 200, 302}:
                self._note(method, path, answer.status, page)
            return answer.status, answer.headers, page
        except (OSError, http.client.HTTPException) as error:
            self._note(method, path, repr(error), "")
            return type(error).__name__, Message(), ""
        finally:
            connection.close()

    def _note(self, method: str, path: str, met: int | str, page: str) -> None:
        now = datetime.now(UTC).time().isoformat("milliseconds")
        self._unusual.append(f"{now} {method} {path} {met} {page[:BEGINNING_CHARACTERS]!r}")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[ProxiedSite]:
    with behind_the_proxy(ProxiedSite(tmp_path)) as site:
        yield site


@pytest.fixture
def site_over_kafka(tmp_path: Path, kafka: str) -> Iterator[ProxiedSite]:
    with behind_the_proxy(ProxiedSite(tmp_path, kafka)) as site:
        yield site


@contextmanager
def behind_the_proxy(site: ProxiedSite) -> Iterator[ProxiedSite]:
    caddy()
    if site.environment.get("EVENTBUS_BACKEND"):
        site.manage("eventbus", "topics", "--apply")
    site.prepare()
    with site.running():
        yield site


def test_replicas_that_are_killed_and_replaced_lose_no_request_and_double_none(site: ProxiedSite) -> None:
    """In memory the bus has one process; it relays, too."""
    replace_all(site, [role for role in order_of_the_manual() if role != "relay"])


def test_nor_do_those_of_a_site_over_kafka(site_over_kafka: ProxiedSite) -> None:
    replace_all(site_over_kafka, order_of_the_manual())


def order_of_the_manual() -> list[str]:
    """The roles in the order in which an upgrade replaces them."""
    steps = MANUAL.read_text().partition("in this order:\n")[2].partition("\n\n")[0]
    roles = re.findall(r"`([a-z]+)`", steps)
    assert sorted(roles) == ["handle", "live", "pages", "poll", "relay"]
    return roles


def replace_all(site: ProxiedSite, roles: list[str]) -> None:
    """In the order that the manual says, while a crowd is served."""
    for role in roles[:-2]:
        site.start_replica(role)
    with Crowd(site, on_sale(site), sessions_of_accounts(site)) as crowd:
        for how in (signal.SIGTERM, signal.SIGKILL):
            for role in roles:
                site.replace(role, how)
        until(
            lambda: crowd.asked >= REQUESTS_MIN,
            lambda: f"{crowd.asked} requests\n{crowd.failed()}\n{crowd.answers()}\n{site.logs()}",
            seconds=START_SECONDS,
        )
    print(f"{crowd.asked} requests, {crowd.again} forms sent again")

    assert crowd.failed() == {}, f"{crowd.failed()}\n{crowd.answers()}\n{site.logs()}"
    assert crowd.pieces_found() == crowd.carts
    assert crowd.addresses
    assert site.rows("SELECT COUNT(*) FROM accounts_address") == [(crowd.addresses,)]


def sessions_of_accounts(site: ProxiedSite) -> list[str]:
    """Session keys of new accounts that are signed in."""
    return site.manage("shell", "--verbosity=0", "--command", SIGN_IN).split()


def on_sale(site: ProxiedSite) -> str:
    """A product that orders know of."""
    question, found = "SELECT product_id FROM orders_offer WHERE for_sale LIMIT 1", []

    def offered() -> bool:
        found[:] = site.rows(question)
        return bool(found)

    until(offered, site.logs, seconds=START_SECONDS)
    return str(found[0][0])
