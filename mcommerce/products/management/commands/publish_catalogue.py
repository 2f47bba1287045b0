from typing import Any

from django.core.management.base import BaseCommand

from mcommerce.products.services import catalogue


class Command(BaseCommand):
    help = "Publish each product for sale and its free pieces again, for a module that starts late."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"Published {catalogue.publish_all_again()} products.")
