from django.apps import AppConfig

# Seconds before each question about an open session. The first minutes of a shop's patience, in a run of minutes.
CHECK_DELAYS_SECONDS = (2, 3, 5)


class ShopConfig(AppConfig):
    name = "tests.chaos.shop"
    label = "chaos_shop"

    def ready(self) -> None:
        from mcommerce.payment.services import status_checks

        status_checks.CHECK_DELAYS_SECONDS = CHECK_DELAYS_SECONDS
