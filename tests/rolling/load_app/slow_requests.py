"""`python -m tests.rolling.load_app.slow_requests WHO SECONDS COUNT`: so many people ask what takes so long."""

import sys

import django


def main(who: str, seconds: float, count: int) -> None:
    from django.db import transaction

    from eventbus import publish
    from tests.rolling.load_app.events import Asked

    with transaction.atomic():
        publish(*(Asked(name=f"{who}{number}", seconds=seconds) for number in range(count)))


if __name__ == "__main__":
    django.setup()
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))
