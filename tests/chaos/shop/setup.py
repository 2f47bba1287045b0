"""`python -m tests.chaos.shop.setup`: what the town needs, and a shop whose shelves are filled."""

import django

PLENTY = 100_000  # pieces: more than is sold in any run
SCARCE = {"DEMO-COQ": 40, "DEMO-VASE": 12}  # pieces that several want at once, and that are let go again and again


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
    from tests.chaos.load_app import setup

    setup.prepare()
    fill_shelves()
