from typing import Any

from django.core.management.base import BaseCommand

from mcommerce.accounts.services import contacts


class Command(BaseCommand):
    help = "Publish how to write to each customer again, for a module that starts late."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"Published the contacts of {contacts.publish_all_contacts()} accounts.")
