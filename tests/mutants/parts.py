"""The parts of the product that are mutated, each with the tests that should notice."""

from typing import NamedTuple

SCHEMA = "tests/test_schema.py"
BUS_TESTS = (
    SCHEMA,
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
    "tests/eventbus/test_failing_handlers.py",
    "tests/eventbus/test_refusals_admin.py",
    "tests/eventbus/test_restored_command.py",
    "tests/eventbus/test_turnstile.py",
    "tests/eventbus/test_fair_lock.py",
    "tests/eventbus/test_many_processes.py",
    "tests/eventbus/test_processes.py",
)
# Modules that do nothing in memory: only tests over a broker can notice a change of them.
OVER_KAFKA = (
    "eventbus/backfill.py",
    "eventbus/divergence.py",
    "eventbus/lost_records.py",
    "eventbus/own_rows.py",
    "eventbus/refilling.py",
    "eventbus/republishing.py",
    "eventbus/restoring.py",
    "eventbus/shrinking.py",
    "eventbus/signing.py",
    "eventbus/taken_places.py",
    "eventbus/trust.py",
)
LIVE_STATE = (
    "stations/active_feeds.py",
    "stations/alarm.py",
    "stations/at_once.py",
    "stations/board.py",
    "stations/consumers.py",
    "stations/doorkeeper.py",
    "stations/feed_health.py",
    "stations/intake.py",
    "stations/live.py",
    "stations/news.py",
    "stations/sockets.py",
    "stations/wire.py",
)
JOURNEYS = (  # without the random days, which take minutes
    "tests/journeys/test_an_order.py",
    "tests/journeys/test_currencies.py",
    "tests/journeys/test_forged_money.py",
    "tests/journeys/test_free_orders.py",
    "tests/journeys/test_hoarding.py",
    "tests/journeys/test_no_false_word.py",
    "tests/journeys/test_reconcile.py",
    "tests/journeys/test_reconcile_asking.py",
    "tests/journeys/test_refund_again.py",
)


class Part(NamedTuple):
    """Some modules, and the tests that should notice a change of them: globs from the project's root."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]
    but: tuple[str, ...] = ()


PARTS = {
    "eventbus": Part(
        (
            "eventbus/*.py",
            "eventbus/backends/*.py",
            "eventbus/backends/sqlite3/*.py",
            "eventbus/console/*.py",
            "eventbus/management/commands/*.py",
        ),
        BUS_TESTS,
        but=("eventbus/apps.py", "eventbus/failpoints.py", *OVER_KAFKA),
    ),
    "kafka": Part(
        ("eventbus/backends/kafka/*.py", *OVER_KAFKA),
        ("tests/eventbus/test_kafka_envelope.py", "tests/eventbus/test_kafka_*.py", "tests/eventbus/test_moving.py"),
    ),
    "orders": Part(
        ("mcommerce/orders/*.py",), ("tests/mcommerce/orders", *JOURNEYS, SCHEMA), but=("mcommerce/orders/apps.py",)
    ),
    "payment": Part(
        ("mcommerce/payment/*.py", "mcommerce/payment/providers/*.py"),
        ("tests/mcommerce/payment", *JOURNEYS, SCHEMA),
        but=("mcommerce/payment/apps.py",),
    ),
    "stock": Part(
        (
            "mcommerce/products/stock.py",
            "mcommerce/products/services.py",
            "mcommerce/products/handlers.py",
            "mcommerce/products/changes.py",
        ),
        ("tests/mcommerce/products", "tests/mcommerce/orders"),
    ),
    "live": Part(LIVE_STATE, ("tests/stations",)),
}
