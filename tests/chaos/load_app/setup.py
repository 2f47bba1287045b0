"""`python -m tests.chaos.load_app.setup`: make topics, tables, groups and callers before anybody works."""

import django


def prepare() -> None:
    from django.core.management import call_command

    from tests.chaos.load_app.models import Caller
    from tests.chaos.load_app.publisher import NAMES

    call_command("eventbus", "topics", "--apply")
    call_command("migrate", run_syncdb=True, verbosity=0)
    Caller.objects.bulk_create(Caller(name=name) for name in NAMES)


if __name__ == "__main__":
    django.setup()
    prepare()
