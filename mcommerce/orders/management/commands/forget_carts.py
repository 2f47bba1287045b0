from typing import Any

from django.core.management.base import BaseCommand

from eventbus import clock
from mcommerce.orders.carts.cart import forget_old


class Command(BaseCommand):
    help = "Deletes the guests' carts that no cookie names any more. Run it once a day, beside clearsessions."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"Carts forgotten: {forget_old(now=clock.now())}.")
