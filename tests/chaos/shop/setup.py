"""`python -m tests.chaos.shop.setup town|shop`: topics, tables and callers before anybody works, and filled shelves."""

import sys

import django

PLENTY = 100_000  # pieces: more than is sold in any run
SCARCE = {"DEMO-COQ": 40, "DEMO-VASE": 12}  # pieces that several want at once, and that are let go again and again


def prepare_town() -> None:
    from django.core.management import call_command

    from tests.chaos.load_app.models import Caller
    from tests.chaos.load_app.publisher import NAMES

    call_command("eventbus", "topics", "--apply")
    call_command("migrate", run_syncdb=True, verbosity=0)
    Caller.objects.bulk_create(Caller(name=name) for name in NAMES)


def fill_shelves() -> None:
    """Everything that the demo shop has, in numbers for a crowd; all other goods run short soon."""
    from django.core.management import call_command

    from eventbus import clock
    from mcommerce.products.models import Stock
    from mcommerce.products.services.stock import receive_stock

    call_command("load_demo_catalogue", verbosity=0)
    for stock in Stock.objects.select_related("product"):
        wanted = SCARCE.get(stock.product.sku, PLENTY)
        receive_stock(product_id=stock.product_id, quantity=max(1, wanted - stock.on_hand), now=clock.now())


if __name__ == "__main__":
    django.setup()
    prepare_town()
    if sys.argv[1] == "shop":
        fill_shelves()
