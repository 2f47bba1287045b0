"""`docs/how-to/link-to-another-page.md`: its links lead to the pages, and are left out on a site without them."""

import re
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from django.core import mail
from django.template import engines
from django.test import Client
from django.urls import clear_url_caches, resolve, set_urlconf

from mcommerce.accounts.models import User
from mcommerce.features.links import address_of
from mcommerce.orders.models import Order
from mcommerce.products.models import Product
from stations.models import Station
from tests.how_to import DOCS, blocks
from tests.stations.socket_client import key, polled, state

PAGE = "link-to-another-page.md"
LINKS, MAIL = blocks(PAGE, "python")
[TEMPLATE] = blocks(PAGE, "html")
SITE = "https://shop.example"

pytestmark = pytest.mark.django_db


@pytest.fixture
def links(settings: Any) -> ModuleType:
    settings.SITE_URL = SITE
    return module_of(LINKS)


@pytest.fixture
def send_tip(links: ModuleType) -> Callable[..., None]:
    return module_of(MAIL).__dict__["send_tip"]


@pytest.fixture
def placed(paid_order: Order, customer: User) -> Order:
    """The order of a customer with an account."""
    Order.objects.filter(id=paid_order.id).update(customer_id=customer.id)
    return paid_order


@pytest.fixture
def station() -> Station:
    polled({key(): state()})
    return Station.objects.get()


@pytest.fixture
def no_pages() -> Iterator[None]:
    """A site whose apps have no pages."""
    set_urlconf(Nothing("site_without_pages"))
    yield
    set_urlconf(None)
    clear_url_caches()


class Nothing(ModuleType):
    urlpatterns: tuple[()] = ()


def module_of(code: str) -> ModuleType:
    module = ModuleType("tips_links")
    exec(code, module.__dict__)  # noqa: S102  # ours
    return module


def drawn(product: Product, order: Order, station: Station) -> str:
    values = {
        "slug": product.slug,
        "title": "A vase",
        "order_id": order.id,
        "feed": station.feed,
        "station_id": station.station_id,
    }
    return engines["django"].from_string(TEMPLATE).render(values)


def tip(order: Order, product: Product, station: Station) -> dict[str, Any]:
    where = {"feed": station.feed, "station_id": station.station_id}
    return {"email": "ada@example.com", "slug": product.slug, "order_id": order.id, **where}


def test_the_links_of_a_mail_lead_the_customer_to_the_pages(
    send_tip: Callable[..., None], customer: User, placed: Order, product: Product, station: Station
) -> None:
    mail.outbox.clear()
    send_tip(**tip(placed, product, station))
    client = Client()
    client.force_login(customer)

    addresses = mail.outbox[-1].body.splitlines()
    assert [address.startswith(f"{SITE}/") for address in addresses] == [True] * 3
    pages = [client.get(address.removeprefix(SITE)) for address in addresses]
    assert [page.status_code for page in pages] == [200] * 3
    assert [page.resolver_match.view_name for page in pages] == ["products:detail", "orders:order", "stations:station"]


def test_who_is_not_the_customer_gets_a_404(placed: Order) -> None:
    assert Client().get(address_of("orders:order", placed.id)).status_code == 404


def test_without_the_pages_the_links_are_left_out(
    no_pages: None, links: ModuleType, send_tip: Callable[..., None]
) -> None:
    product, order, station = Product(slug="vase"), Order(), Station(feed="jcdecaux:lyon", station_id="1")
    send_tip(**tip(order, product, station))

    assert mail.outbox[-1].body == ""
    assert links.product_link(slug="vase", title="A vase") == "A vase"
    assert "href" not in drawn(product, order, station)


def test_the_page_names_pages_with_their_arguments() -> None:
    rows = re.findall(r"^\| [^|]+ \| `(\w+:\w+)` \| ([^|]*)\|", (DOCS / "how-to" / PAGE).read_text(), re.MULTILINE)
    samples: dict[str, object] = {"slug": "vase", "order_id": Order().id, "feed": "jcdecaux:lyon", "station_id": "1"}

    assert len(rows) == 7
    for name, arguments in rows:
        address = address_of(name, *(samples[one] for one in re.findall(r"`(\w+)`", arguments)))
        assert resolve(address).view_name == name, name
