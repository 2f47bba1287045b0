"""Fill an empty shop with the demo catalogue."""

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import transaction

from eventbus import clock
from mcommerce.money import minor_digits
from mcommerce.products.demo_catalogue import DEMO_PRODUCTS, DemoProduct
from mcommerce.products.models import Product
from mcommerce.products.services import catalogue, stock
from mcommerce.products.translated_texts import slug_for

VAT_RATE = 2000  # basis points: France's ordinary rate


class Command(BaseCommand):
    help = "Put the demo catalogue up for sale. What is already there, sold or changed since, stays as it is."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="say what was done as JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        added = [demo.french[0] for demo in DEMO_PRODUCTS if _put_up_for_sale(demo)]
        if options["json"]:
            self.stdout.write(json.dumps({"added": added, "kept": len(DEMO_PRODUCTS) - len(added)}, ensure_ascii=False))
        else:
            self.stdout.write(f"Demo catalogue: {len(added)} products added, {len(DEMO_PRODUCTS) - len(added)} kept.")


@transaction.atomic
def _put_up_for_sale(demo: DemoProduct) -> bool:
    sku = f"DEMO-{demo.drawing.upper()}"
    if Product.objects.filter(sku=sku).exists():
        return False
    now = clock.now()
    product = Product(
        sku=sku,
        slug=slug_for(demo.french[0]),
        title={"fr": demo.french[0], "en": demo.english[0]},
        description={"fr": demo.french[1], "en": demo.english[1]},
        price=demo.price * 10 ** minor_digits(settings.SHOP_CURRENCY),
        currency=settings.SHOP_CURRENCY,
        tax_rate=VAT_RATE,
        image=f"products/demo/{demo.drawing}.svg",
        published=True,
    )
    catalogue.save_product(product=product, now=now)
    stock.receive_stock(product_id=product.id, quantity=demo.pieces, now=now)
    return True
