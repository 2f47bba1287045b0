"""`manage.py publish_stations`: publish every station's present state again."""

from typing import Any

from django.core.management.base import BaseCommand

from stations.services import station_events


class Command(BaseCommand):
    help = "Publish the present state of each station that the site shows, for a module that starts late."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"Published {station_events.publish_all_again()} stations.")
