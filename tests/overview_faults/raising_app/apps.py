from django.apps import AppConfig


class RaisingConfig(AppConfig):
    name = "tests.overview_faults.raising_app"
    label = "raising"

    def ready(self) -> None:
        """Leave the stand-ins to processes of their own, which can be ended one by one."""
        from mcommerce.serving import background_threads

        background_threads.stand_ins = list
