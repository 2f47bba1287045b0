"""The parts of the product that are mutated, each with the tests that should notice."""

from typing import NamedTuple

BUS_TESTS = (  # the quick ones first: pytest stops at the first test that notices
    "tests/eventbus/test_memory_backend.py",
    "tests/eventbus/test_watching.py",
    "tests/eventbus/test_commands.py",
    "tests/eventbus/test_status_command.py",
    "tests/eventbus/test_prune_command.py",
    "tests/eventbus/test_replay_command.py",
    "tests/eventbus/test_operations.py",
    "tests/eventbus/test_pausing.py",
    "tests/eventbus/test_refusals.py",
    "tests/eventbus/test_outbox.py",
    "tests/eventbus/test_ids.py",
    "tests/eventbus/test_sql.py",
    "tests/eventbus/test_field_types.py",
    "tests/eventbus/test_heartbeats.py",
    "tests/eventbus/test_foreground.py",
    "tests/eventbus/test_dispatcher.py",
    "tests/eventbus/test_testing.py",
    "tests/eventbus/test_admin.py",
    "tests/eventbus/test_lag.py",
    "tests/eventbus/test_admin_bulk.py",
    "tests/eventbus/test_repairs_by_handlers.py",
    "tests/eventbus/test_publishing_groups.py",
    "tests/eventbus/test_hanging.py",
    "tests/eventbus/test_many_processes.py",
    "tests/eventbus/test_processes.py",
)
# Modules that do nothing in memory: only tests over a broker can notice a change of them.
OVER_KAFKA = (
    "eventbus/backfill.py",
    "eventbus/divergence.py",
    "eventbus/lost_records.py",
    "eventbus/refilling.py",
    "eventbus/restoring.py",
    "eventbus/shrinking.py",
    "eventbus/signing.py",
    "eventbus/trust.py",
)
ORDER_TESTS = (
    "tests/mcommerce/orders",
    "tests/journeys/test_an_order.py",
    "tests/journeys/test_no_false_word.py",
    "tests/journeys/test_refund_again.py",
)


class Part(NamedTuple):
    """Some modules, the tests that should notice a change of them, and how long these may take in seconds.

    `modules`, `but` and `tests` are globs from the project's root. A mutant whose tests take longer counts as noticed.
    """

    modules: tuple[str, ...]
    tests: tuple[str, ...]
    seconds: float
    but: tuple[str, ...] = ()


PARTS = {
    "eventbus": Part(
        ("eventbus/*.py", "eventbus/backends/*.py", "eventbus/console/*.py"),
        BUS_TESTS,
        600,
        but=("eventbus/apps.py", "eventbus/failpoints.py", *OVER_KAFKA),
    ),
    "kafka": Part(
        ("eventbus/backends/kafka/*.py", *OVER_KAFKA),
        ("tests/eventbus/test_kafka_envelope.py", "tests/eventbus/test_kafka_*.py", "tests/eventbus/test_moving.py"),
        900,
    ),
    "orders": Part(("mcommerce/orders/*.py",), ORDER_TESTS, 600, but=("mcommerce/orders/apps.py",)),
    "payment": Part(
        ("mcommerce/payment/*.py", "mcommerce/payment/providers/*.py"),
        ("tests/mcommerce/payment", "tests/journeys"),
        600,
        but=("mcommerce/payment/apps.py",),
    ),
    "stock": Part(
        ("mcommerce/products/stock.py", "mcommerce/products/services.py", "mcommerce/products/handlers.py"),
        ("tests/mcommerce/products", "tests/mcommerce/orders"),
        300,
    ),
    "live": Part(
        ("stations/live.py", "stations/board.py", "stations/news.py", "stations/wire.py", "stations/intake.py"),
        ("tests/stations",),
        400,
    ),
}
