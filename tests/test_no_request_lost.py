"""Replicas are killed and replaced while people shop, and nobody notices: the shipped proxy asks another one."""

import http.client
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.proxied_site import ProxiedSite, caddy

REQUESTS_MIN = 1_000
VISITORS = 6  # at once; each asks one thing after the other
PAGES = ("/cart/count/", "/accounts/sign-in/", "/cart/count/", "/health/live")
ANSWER_SECONDS = 60  # a machine with other work; a lost request answers at once, or never
TOKEN = "a" * 32
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


class Crowd:
    """People who read, who put one piece into a new cart each time, and who open sockets. What they met is counted."""

    def __init__(self, site: ProxiedSite, product_id: str) -> None:
        self._site = site
        self._form = urlencode({"csrfmiddlewaretoken": TOKEN, "product_id": product_id, "quantity": 1})
        self.met: Counter[tuple[str, int | str]] = Counter()
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

    def failed(self, kind: str = "") -> dict[tuple[str, int | str], int]:
        """What was met that was neither a page, nor the way on to the cart, nor an open socket."""
        well = {("read", 200), ("bought", 302), ("socket", 101)}
        with self._lock:
            return {met: count for met, count in self.met.items() if met not in well and met[0].startswith(kind)}

    def _visit(self, number: int) -> None:
        turn = number
        while not self._stop.is_set():
            turn += 1
            if turn % 5 == 0:
                met = "bought", self._ask("POST", "/cart/add/", self._form)
            elif turn % 7 == 0:
                met = "socket", self._ask("GET", "/ws/stations/", headers=HANDSHAKE | {"Origin": self._site.url})
            else:
                met = "read", self._ask("GET", PAGES[turn % len(PAGES)])
            with self._lock:
                self.met[met] += 1

    def _ask(self, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None) -> int | str:
        connection = http.client.HTTPConnection("127.0.0.1", self._site.port, timeout=ANSWER_SECONDS)
        form = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": f"csrftoken={TOKEN}"} if body else {}
        try:
            connection.request(method, path, body, form | (headers or {}))
            answer = connection.getresponse()
            if answer.status != 101:
                answer.read()
            return answer.status
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__
        finally:
            connection.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[ProxiedSite]:
    caddy()
    site = ProxiedSite(tmp_path)
    site.prepare()
    site.manage("shell", "--command", "from eventbus.testing import settle; settle()")  # orders know the products
    with site.running():
        yield site


def test_replicas_that_are_killed_and_replaced_lose_no_request_and_double_none(site: ProxiedSite) -> None:
    [(product_id,)] = site.rows("SELECT product_id FROM orders_offer WHERE for_sale LIMIT 1")
    site.start_replica("handle")
    with Crowd(site, product_id) as crowd:
        for role in ("handle", "live", "pages"):
            site.replace(role, signal.SIGTERM)
        assert crowd.failed() == {}, site.logs()

        for role in ("handle", "live", "pages"):
            site.replace(role, signal.SIGKILL)
        while crowd.asked < REQUESTS_MIN:
            time.sleep(0.1)

    # A form that a killed replica had in hand may have been carried out, so it is not sent again: its sender is told.
    in_hand = sum(crowd.failed("bought").values())
    assert in_hand <= VISITORS and set(crowd.failed()) <= {("bought", 502)}, crowd.met
    [(pieces,)] = site.rows("SELECT sum(quantity) FROM orders_cartline")
    assert crowd.met["bought", 302] <= pieces <= crowd.met["bought", 302] + in_hand
