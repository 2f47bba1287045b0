"""`python -m tests.chaos.shop.shoppers FILE SEED DOORS`: people who order over plain HTTP, until FILE.stop exists.

DOORS are the web processes' addresses, with commas; each request goes through any of them. FILE gets a line, on the
disk at once, for what somebody was told: `ordered ORDER` when the checkout was answered, `charged ORDER` when the
payment provider sent them back, `paid ORDER` or `cancelled ORDER` when the order's page said so.
"""

import os
import random
import re
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import UUID

import requests

SHOPPERS = 8  # at the same time: an order a second, with the pauses; the town is the load
PAUSE_SECONDS = 4.0  # at most, between one's visits
LOOK_SECONDS = 0.7  # between looks at one's order
ASK_SECONDS = 1.0  # of a web process, whether it serves
ANSWER_SECONDS = 5.0  # then another door is tried
INSIST_SECONDS = 25.0  # for an answer
# For the order to go on; then one leaves, and the deadline ends it. Less than a broker may be away: others still come.
WAIT_SECONDS = 7.0
PIECES_MAX = 3
GOOD, DECLINED, LATE = "4242424242424242", "4000000000000002", "4000000000000341"
# What one does with an order that waits for its money, and how many of twenty do.
PLANS: dict[tuple[str, ...], int] = {
    (GOOD,): 8,
    (DECLINED, GOOD): 4,
    (LATE,): 2,
    (LATE, "cancel"): 3,
    ("cancel",): 2,
    (): 1,
}
ADDRESS = {
    "name": "Ada Lovelace",
    "street": "12 rue des Fleurs",
    "postal_code": "69001",
    "city": "Lyon",
    "country": "FR",
    "language": "en",
    "terms": "on",
}


class GaveUp(Exception):
    """Nobody answered for as long as a shopper waits, or what they wanted is gone."""


class Diary:
    """What shoppers were told."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("a")
        self._stop = file.with_suffix(".stop")
        self._lock = threading.Lock()

    @property
    def closed(self) -> bool:
        return self._stop.exists()

    def put_away(self) -> None:
        """Close the file. Nobody may write any more."""
        self._file.close()

    def note(self, what: str, order: str) -> None:
        with self._lock:
            self._file.write(f"{what} {order}\n")
            self._file.flush()
            os.fsync(self._file.fileno())


class Doors:
    """Leads to web processes as the proxy does: each is asked every second whether it serves, or is about to leave."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = self._open = list(addresses)
        self._over = threading.Event()
        threading.Thread(target=self._ask, daemon=True).start()

    def any(self, chance: random.Random) -> str:
        """One that serves; where none does, any: somebody may answer all the same."""
        return chance.choice(self._open or self._addresses)

    def close(self) -> None:
        """Ask no more."""
        self._over.set()

    def _ask(self) -> None:
        while not self._over.is_set():
            self._open = [address for address in self._addresses if self._serves(address)]
            self._over.wait(ASK_SECONDS)

    def _serves(self, address: str) -> bool:
        try:
            return requests.get(f"{address}/health/serving", timeout=ASK_SECONDS).ok
        except requests.RequestException:
            return False


class Plans:
    """Dealt from a shuffled deck, so that every plan comes among any twenty or so."""

    def __init__(self, chance: random.Random) -> None:
        self._chance, self._lock, self._deck = chance, threading.Lock(), list[tuple[str, ...]]()

    def deal(self) -> tuple[str, ...]:
        with self._lock:
            if not self._deck:
                self._deck = [plan for plan, times in PLANS.items() for _ in range(times)]
                self._chance.shuffle(self._deck)
            return self._deck.pop()


class Visitor:
    """A browser without a memory of earlier visits."""

    def __init__(self, doors: Doors, diary: Diary, chance: random.Random) -> None:
        self._doors, self._diary, self._chance = doors, diary, chance
        self._http = requests.Session()
        self._http.trust_env = False
        # Behind the proxy that the site trusts, visitors come from many addresses.
        address = ".".join(str(chance.randint(1, 254)) for _ in range(3))
        self._http.headers.update({"Accept-Language": "en", "X-Forwarded-For": f"10.{address}"})
        self._http.headers["Connection"] = "close"  # nor does the proxy keep one for later

    def get(self, path: str) -> requests.Response:
        return self._insist(lambda: self._http.get(f"{self._door()}{path}", **_OPTIONS))

    def post(self, path: str, page: requests.Response, **fields: str) -> requests.Response:
        """The form on that page. Sent again until somebody answers: the same form, so the same wish."""
        form = {"csrfmiddlewaretoken": hidden(page, "csrfmiddlewaretoken"), **fields}
        return self._insist(lambda: self._http.post(f"{self._door()}{path}", data=form, **_OPTIONS))

    def type_card(self, page: str, number: str) -> str:
        """On the company's page; where it sends us. A session that was charged is not charged again."""
        form = {"number": number, "expiry": "12/40", "cvc": "123"}
        return self._insist(lambda: self._http.post(page, data=form, **_OPTIONS)).headers.get("Location", "")

    def _door(self) -> str:
        return self._doors.any(self._chance)

    def _insist(self, ask: Callable[[], requests.Response]) -> requests.Response:
        deadline = time.monotonic() + INSIST_SECONDS
        while time.monotonic() < deadline:
            try:
                answer = ask()
                if answer.status_code < 500:
                    return answer
            except requests.RequestException:
                pass  # another door may be open
            time.sleep(self._chance.uniform(0.2, LOOK_SECONDS))
        raise GaveUp("nobody answers")


_OPTIONS = {"timeout": ANSWER_SECONDS, "allow_redirects": False}


def visit(visitor: Visitor, diary: Diary, plans: Plans, chance: random.Random) -> None:
    """One person, from the shop window to the order's end. Raises GaveUp."""
    order = place(visitor, chance)
    diary.note("ordered", order)
    if wait_for(visitor, order, "Awaiting payment", "Cancelled") == "Cancelled":
        return  # too few were left
    plan = plans.deal()
    for step in plan:
        if step == "cancel":
            visitor.post(f"/orders/{order}/cancel/", order_page(visitor, order))
        elif pay(visitor, order, step):
            diary.note("charged", order)
    if plan:
        diary.note(wait_for(visitor, order, "Paid", "Cancelled").lower(), order)


def place(visitor: Visitor, chance: random.Random) -> str:
    """The order's id."""
    slugs = sorted(set(re.findall(r'href="(/products/[^"]+/)"', visitor.get("/").text)))
    if not slugs:
        raise GaveUp("nothing is for sale")
    goods = visitor.get(slugs[int(len(slugs) * chance.random() ** 2)])  # the first is what everybody wants
    product, pieces = hidden(goods, "product_id"), str(chance.randint(1, PIECES_MAX))
    visitor.post("/cart/add/", goods, product_id=product, quantity=pieces)
    form = visitor.get("/checkout/")
    email = f"visitor{chance.getrandbits(40)}@example.com"  # who pays nothing is written to once a day
    sent = {"token": hidden(form, "token"), "seen": hidden(form, "seen"), "email": email}
    answer = visitor.post("/checkout/", form, **sent, **ADDRESS)
    order = re.fullmatch(r"/orders/([0-9a-f-]{36})/", answer.headers.get("Location", ""))
    if order is None:
        raise GaveUp(f"no order: {answer.status_code}")
    return str(UUID(order[1]))


def pay(visitor: Visitor, order: str, card: str) -> bool:
    """Whether the company took the money; not when the order is not to be paid any more. Raises GaveUp."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        answer = visitor.post(f"/payment/pay/{order}/", order_page(visitor, order))
        if (page := answer.headers.get("Location", "")).startswith("http"):
            return take_back(visitor, visitor.type_card(page, card))
        if state_on(order_page(visitor, order)) != "Awaiting payment":
            return False
        time.sleep(LOOK_SECONDS)  # between two tries of a loop that has a deadline
    raise GaveUp("no page to pay at")


def take_back(visitor: Visitor, location: str) -> bool:
    """Go where the company sends us: back to the shop, if the card was good."""
    if "/payment/return/" not in location:
        return False
    visitor.get("/payment/return/" + location.partition("/payment/return/")[2])
    return True


def wait_for(visitor: Visitor, order: str, *states: str) -> str:
    """Which of these states the order's page shows. Raises GaveUp."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        if (state := state_on(order_page(visitor, order))) in states:
            return state
        time.sleep(LOOK_SECONDS)  # between two looks of a poll that has a deadline
    raise GaveUp(f"the order is not {' or '.join(states)}")


def order_page(visitor: Visitor, order: str) -> requests.Response:
    return visitor.get(f"/orders/{order}/?fragment=1")


def state_on(page: requests.Response) -> str:
    found = re.search(r'<span class="badge badge--\w*">([^<]+)</span>', page.text)
    return found[1] if found else ""


def hidden(page: requests.Response, name: str) -> str:
    """A form's hidden value; empty where the page does not have the form. Raises GaveUp for what is sold out."""
    tag = re.search(rf'<input[^>]*name="{name}"[^>]*>', page.text)
    value = re.search(r'value="([^"]*)"', tag[0]) if tag else None
    if value is None:
        raise GaveUp(f"no {name} on the page")
    return value[1]


def shop(diary: Diary, plans: Plans, doors: Doors, chance: random.Random) -> None:
    """Visit after visit, until the diary is closed."""
    while not diary.closed:
        try:
            visit(Visitor(doors, diary, chance), diary, plans, chance)
        except GaveUp as reason:
            print(reason, flush=True)
        time.sleep(chance.uniform(0, PAUSE_SECONDS))


def main(file: str, seed: str, doors: str) -> None:
    diary, plans, open_doors = Diary(Path(file)), Plans(random.Random(seed)), Doors(doors.split(","))
    threads = [
        threading.Thread(target=shop, args=(diary, plans, open_doors, random.Random(f"{seed} {number}")))
        for number in range(SHOPPERS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
