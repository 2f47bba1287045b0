"""Fill an empty shop with the demo catalogue."""

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import transaction

from eventbus import clock
from mcommerce.money import minor_digits
from mcommerce.products.demo_catalogue import WONDERS, Wonder
from mcommerce.products.models import Product
from mcommerce.products.services import catalogue, stock
from mcommerce.products.translated_texts import slug_for

VAT_RATE = 2000  # basis points: France's ordinary rate


class Command(BaseCommand):
    help = "Put the demo catalogue up for sale. What is already there, sold or changed since, stays as it is."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="say what was done as JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        added = [wonder.french[0] for wonder in WONDERS if _put_up_for_sale(wonder)]
        if options["json"]:
            self.stdout.write(json.dumps({"added": added, "kept": len(WONDERS) - len(added)}, ensure_ascii=False))
        else:
            self.stdout.write(f"Demo catalogue: {len(added)} products added, {len(WONDERS) - len(added)} kept.")


@transaction.atomic
def _put_up_for_sale(wonder: Wonder) -> bool:
    sku = f"DEMO-{wonder.drawing.upper()}"
    if Product.objects.filter(sku=sku).exists():
        return False
    now = clock.now()
    product = Product(
        sku=sku,
        slug=slug_for(wonder.french[0]),
        title={"fr": wonder.french[0], "en": wonder.english[0]},
        description={"fr": wonder.french[1], "en": wonder.english[1]},
        price=wonder.price * 10 ** minor_digits(settings.SHOP_CURRENCY),
        currency=settings.SHOP_CURRENCY,
        tax_rate=VAT_RATE,
        image=f"products/demo/{wonder.drawing}.svg",
        published=True,
    )
    catalogue.save_product(product=product, now=now)
    stock.receive_stock(product_id=product.id, quantity=wonder.pieces, now=now)
    return True
