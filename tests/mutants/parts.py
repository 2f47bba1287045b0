"""The parts of the product that are mutated, each with the tests that should notice: globs from the project's root."""

from typing import NamedTuple

from tests.import_contracts import features
from tests.live_site import ROOT

SCHEMA = "tests/test_schema.py"
JOURNEYS = "tests/journeys"
# Modules that do nothing in memory, or not all that they do: only tests over a broker can notice a change of them.
OVER_KAFKA = (
    *("eventbus/consuming/assignment.py", "eventbus/consuming/outbox_backfill.py", "eventbus/consuming/trust.py"),
    *("eventbus/progress/group_starts.py", "eventbus/progress/log_generations.py", "eventbus/recovery/*.py"),
    *("eventbus/repairs/forgotten_stretches.py", "eventbus/repairs/republishing.py"),
    "eventbus/repairs/restore_repair.py",
)


class Part(NamedTuple):
    """Some modules without some others, and the tests that should notice a change of them."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]
    but: tuple[str, ...] = ()


def _whole(folder: str, *rooms: str, tests: tuple[str, ...] = ()) -> Part:
    """The modules in a folder and in some rooms of it, with its own tests and more."""
    modules = (f"{folder}/*.py", *(f"{folder}/{room}/*.py" for room in rooms))
    return Part(modules, (f"tests/{folder}", *tests), but=(f"{folder}/apps.py",))


PARTS = {
    "eventbus": Part(
        ("eventbus/**/*.py",),
        (SCHEMA, "tests/eventbus"),
        but=(
            *(
                "eventbus/apps.py",
                "eventbus/failpoints.py",
                "eventbus/**/migrations/*.py",
                "eventbus/backends/kafka/**",
            ),
            *("eventbus/testing/**", "eventbus/measuring/**", "eventbus/doctor/**", *OVER_KAFKA),
        ),
    ),
    "kafka": Part(("eventbus/backends/kafka/**/*.py", *OVER_KAFKA), ("tests/eventbus", "tests/test_kafka_settings.py")),
    "orders": _whole("mcommerce/orders", "admin", "carts", "services", "views", tests=(JOURNEYS, SCHEMA)),
    "payment": _whole("mcommerce/payment", "providers", "services", tests=(JOURNEYS, SCHEMA)),
    "stock": Part(
        (
            *("mcommerce/products/services/stock.py", "mcommerce/products/services/catalogue.py"),
            *("mcommerce/products/handlers.py", "mcommerce/products/services/change_texts.py"),
        ),
        ("tests/mcommerce/products", "tests/mcommerce/orders"),
    ),
    "live": Part(
        ("stations/feeds/active_feeds.py", "stations/live/*.py", "stations/sockets/*.py"),
        ("tests/stations",),
    ),
}
NAMED_ABOVE = {"mcommerce.accounts", "mcommerce.orders", "mcommerce.payment", "mcommerce.products"}  # or left out there
PARTS |= {
    app.rpartition(".")[2]: _whole(app.replace(".", "/"), "services")
    for app in features(ROOT)
    if app not in NAMED_ABOVE
}
