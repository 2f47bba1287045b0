"""`docs/how-to/start-from-the-present-state.md`: a module that comes later learns what there is already."""

import json

import pytest

from tests.page_reader import Reader

pytestmark = pytest.mark.sites

# A product, an order, a customer and a station, all handled before the module comes.
BEFORE = """
from django.test import Client
from django.test.utils import setup_test_environment
from tests import purchase_steps
from tests.factories import CustomerFactory
from tests.stations.socket_client import key, polled, state

setup_test_environment()
CustomerFactory(email="ada@example.com", language="fr")
polled({key(7): state(bikes=3)})
purchase_steps.check_out(Client(SERVER_NAME="127.0.0.1"), purchase_steps.vase())
purchase_steps.rest()
"""
KNOWN = """
import json
from eventbus.testing import settle
from mcommerce.lookout.models import Contact, KnownOrder, KnownProduct, KnownStation

settle()
print(json.dumps({
    "products": list(KnownProduct.objects.values_list("slug", "for_sale")),
    "stations": list(KnownStation.objects.values_list("feed", "station_id", "version", "bikes", "gone")),
    "orders": KnownOrder.objects.count(),
    "contacts": list(Contact.objects.values_list("email", "language")),
}))
"""
# Its events are published once more, and older ones of a poll that is overtaken come late.
OLDER = """
from mcommerce.lookout.services import present
from mcommerce.lookout.models import KnownProduct

present.note_station(feed="simulator", station_id="lyon-7", version=1, bikes=9, gone=True)
known = KnownProduct.objects.get()
present.note_product(product_id=known.product_id, version=known.version, for_sale=False)
"""
DELETED = """
from django.db import transaction
from eventbus import publish
from mcommerce.events import CustomerDeleted
from mcommerce.lookout.models import Contact

with transaction.atomic():
    publish(CustomerDeleted(customer_id=Contact.objects.get().customer_id))
"""
ALL = {
    "products": [["vase", True]],
    "stations": [["simulator", "lyon-7", 1, 3, False]],
    "orders": 1,
    "contacts": [["ada@example.com", "fr"]],
}


@pytest.fixture
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """Somebody who has followed the page up to the start, on a site that has run before."""
    reader = Reader(tmp_path_factory.mktemp("present") / "mcommerce", "how-to/start-from-the-present-state.md")
    assert reader.attempt(".venv/bin/python manage.py migrate --verbosity 0").returncode == 0
    reader.run(BEFORE)
    reader.follow()
    return reader


def known(reader: Reader) -> dict[str, object]:
    found: dict[str, object] = json.loads(reader.run(KNOWN).splitlines()[-1])
    return found


def test_a_module_that_comes_later_learns_the_present_state(reader: Reader) -> None:
    reader.type("migrate")
    assert known(reader) == {"products": [], "stations": [], "orders": 1, "contacts": []}

    reader.type("publish")
    assert known(reader) == ALL

    reader.type("publish")
    reader.run(OLDER)
    assert known(reader) == ALL, "published again, or older: nothing changes"

    reader.run(DELETED)
    assert known(reader) == ALL | {"contacts": []}
