"""The lists of the desk at a hundred thousand products, orders and rows of everything else that grows.

    python -m benchmarks --only "desk"

Prints a line for each list and each kind of search: milliseconds, kilobytes, queries.
"""

import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client, override_settings
from django.urls import reverse

from benchmarks.measure import Goal, Row, milliseconds
from benchmarks.rows import fill, uuid_of
from benchmarks.site import Bench

ROWS, ROWS_QUICK = 100_000, 10_000
LOOKS = 5  # at each list
LIST_MS_MAX = 300  # nobody feels that they wait
LIST_KB_MAX = 200  # a second on a slow telephone line
QUERIES_MAX = 12
SEARCHES = {
    "orders.Order": ("M-050000", "ada-50000@example.com", "VASE-50000", "50000", "6A000050000", "lovelace 50000"),
    "payment.Payment": ("M-050000", "ada-50000@example.com", str(uuid_of(50_000))),
    "payment.Refund": ("M-050000", str(uuid_of(50_000))),
    "payment.LedgerEntry": ("M-050000",),
    "products.Product": ("VASE-50000", "bavard 50000"),
    "products.StockMovement": ("VASE-50000", str(uuid_of(50_000))),
    "products.Reservation": (str(uuid_of(50_000)),),
    "orders.Offer": ("VASE-50000",),
    "accounts.User": ("ada-50000@example.com",),
    "stations.Station": ("50000", "city-7"),
}


@dataclass(frozen=True)
class Look:
    """What one address of the desk costs."""

    address: str
    ms: float
    kilobytes: float
    queries: int

    def __str__(self) -> str:
        return f"{self.address:<60} {self.ms:>8.1f} ms {self.kilobytes:>7.1f} kB {self.queries:>3} queries"


def measure(bench: Bench) -> Iterator[Row]:
    fill(ROWS_QUICK if bench.quick else ROWS)
    with at_the_desk() as client:
        looks = [look(client, address) for address in addresses()]
        print(*looks, sep="\n", flush=True)
        slowest = max(looks, key=lambda one: one.ms)
        yield bench.row(
            "desk, the slowest list",
            lambda: milliseconds(lambda: client.get(slowest.address)),
            unit="ms",
            beside=f"its first page; the list: {slowest.address}",
            peer=lambda: milliseconds(lambda: client.get(reverse("admin:index"))),
            goal=Goal(at_most=LIST_MS_MAX),
        )
    wrong = [one for one in looks if one.kilobytes > LIST_KB_MAX or one.queries > QUERIES_MAX]
    if wrong:
        raise RuntimeError("Too large or too many queries:\n" + "\n".join(map(str, wrong)))


@contextmanager
def at_the_desk() -> Iterator[Client]:
    """A browser in which somebody who may do everything is signed in, without the hurdles of a deployed site."""
    person, _new = get_user_model().objects.get_or_create(
        email="bench@example.com", defaults={"is_staff": True, "is_superuser": True}
    )
    with override_settings(ALLOWED_HOSTS=["testserver"], SECURE_SSL_REDIRECT=False):
        client = Client()
        client.force_login(person)
        yield client


def addresses() -> Iterator[str]:
    """Every list of the desk, and the searches in it."""
    for model in admin.site._registry:
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        yield address
        yield from (f"{address}?q={text}" for text in SEARCHES.get(model._meta.label, ()))


def look(client: Client, address: str) -> Look:
    queries: list[str] = []
    with connection.execute_wrapper(lambda run, sql, *more: (queries.append(sql), run(sql, *more))[1]):
        page = client.get(address)
    if page.status_code != 200:
        raise RuntimeError(f"{address} answered {page.status_code}")
    ms = statistics.median(milliseconds(lambda: client.get(address)) for _ in range(LOOKS))
    return Look(address, ms, len(page.content) / 1000, len(queries))
