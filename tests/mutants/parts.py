"""The parts of the product that are mutated, each with the tests that should notice."""

from collections.abc import Mapping
from typing import NamedTuple

from tests.import_contracts import features
from tests.live_site import ROOT

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
    "tests/eventbus/test_rejected_records.py",
    "tests/eventbus/test_outbox.py",
    "tests/eventbus/test_ids.py",
    "tests/eventbus/test_sql.py",
    "tests/eventbus/declaration/test_field_types.py",
    "tests/eventbus/test_heartbeats.py",
    "tests/eventbus/test_command_runner.py",
    "tests/eventbus/test_dispatcher.py",
    "tests/eventbus/test_testing.py",
    "tests/eventbus/test_admin.py",
    "tests/eventbus/test_lag.py",
    "tests/eventbus/test_admin_bulk.py",
    "tests/eventbus/test_publishing_groups.py",
    "tests/eventbus/test_hanging.py",
    "tests/eventbus/test_failing_handlers.py",
    "tests/eventbus/test_rejected_records_admin.py",
    "tests/eventbus/test_restored_command.py",
    "tests/eventbus/test_interprocess_lock.py",
    "tests/eventbus/test_fair_lock.py",
    "tests/eventbus/test_many_processes.py",
    "tests/eventbus/test_processes.py",
)


def _over_kafka(*names: str) -> tuple[str, ...]:
    return tuple(f"tests/eventbus/test_kafka_{name}.py" for name in names)


MEMORY = "tests/eventbus/test_memory_backend.py"
READERS = _over_kafka("readers", "lost_readers", "topics", "tools", "envelope", "consumers")
SENDING = _over_kafka("sending", "lost", "stale_tail", "topics", "envelope")
LOSSES = _over_kafka("new_groups", "lost", "lost_replays", "stale_tail", "log_restored")
RESTORES = _over_kafka(
    "database_made_anew",
    "database_restored",
    "database_restored_again",
    "database_restored_among_others",
    "database_restored_keys",
    "restored_under_a_site",
)
BACKFILL = _over_kafka("backfill", "backfill_holes", "earliest", "repairs")
TRUST = _over_kafka("trust", "trust_keys", "envelope")
# Modules that do nothing in memory, or not all that they do: only tests over a broker can notice a change of them.
# Each has the few files that know it, so that a mutant takes minutes. The bus's contract over Kafka takes ten alone.
OVER_KAFKA = {
    "eventbus/consuming/assignment.py": (MEMORY, *_over_kafka("readers", "lost_readers", "topics", "tools")),
    "eventbus/consuming/outbox_backfill.py": BACKFILL,
    "eventbus/consuming/trust.py": TRUST,
    "eventbus/progress/group_starts.py": (MEMORY, *_over_kafka("new_groups", "earliest", "tools")),
    "eventbus/progress/log_generations.py": _over_kafka("new_groups", "lost", "stale_tail", "log_restored"),
    "eventbus/recovery/divergence.py": RESTORES,
    "eventbus/recovery/log_truncation.py": LOSSES,
    "eventbus/recovery/lost_records.py": BACKFILL,
    "eventbus/recovery/own_outbox_rows.py": (*TRUST, *RESTORES),
    "eventbus/recovery/reused_offsets.py": LOSSES,
    "eventbus/recovery/topic_recovery.py": (*LOSSES, "tests/eventbus/test_changing_backend.py"),
    "eventbus/repairs/forgotten_stretches.py": RESTORES,
    "eventbus/repairs/republishing.py": _over_kafka("lost", "lost_replays", "repairs", "backfill"),
    "eventbus/repairs/restore_repair.py": RESTORES,
}
ADAPTER = {
    "brokers/admin_client": _over_kafka("lost", "stale_tail", "topics", "log_restored", "description"),
    "backend": (*SENDING, *_over_kafka("client_errors", "readers", "tools", "configuration")),
    "brokers/broker_settings": (*_over_kafka("topics"), "tests/eventbus/doctor"),
    "client_errors": _over_kafka("client_errors", "readers", "consumers"),
    "configuration": _over_kafka("configuration"),
    "brokers/end_offsets": _over_kafka("readers", "lost", "stale_tail", "topics", "log_restored"),
    "envelope": TRUST,
    "key_partitions": _over_kafka("topics", "tools", "sending", "unavailable_topics"),
    "brokers/log_description": _over_kafka("description"),
    "other_sites": _over_kafka("tools"),
    "producer": SENDING,
    "signing": TRUST,
    "stale_tail": _over_kafka("stale_tail", "new_groups", "database_made_anew"),
    "brokers/topics": _over_kafka("topics", "tools", "unavailable_topics"),
    **{
        f"reading/{name}": READERS
        for name in (
            "assigned_partitions",
            "consumer",
            "offset_commits",
            "partition_buffer",
            "partition_discovery",
            "poll_interval",
            "revocation_guard",
            "stalls",
        )
    },
}
KAFKA = OVER_KAFKA | {f"eventbus/backends/kafka/{name}.py": tests for name, tests in ADAPTER.items()}
LIVE_STATE = (
    "stations/feeds/active_feeds.py",
    "stations/live/live_state.py",
    "stations/live/channel.py",
    "stations/live/city_sums.py",
    "stations/live/rows.py",
    "stations/sockets/subscription.py",
    "stations/sockets/consumers.py",
    "stations/sockets/admission.py",
    "stations/live/feed_health.py",
    "stations/live/change_buffer.py",
    "stations/live/live_updates.py",
    "stations/live/status_frames.py",
    "stations/sockets/pull_socket.py",
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


PACKAGES = (  # of the bus, without Kafka's adapter and what only tests use
    "admin",
    "audit",
    "backends",
    "console",
    "consuming",
    "database",
    "declaration",
    "database/sqlite3",
    "failures",
    "management/commands",
    "models",
    "operations",
    "processes",
    "progress",
    "publishing",
    "recovery",
    "repairs",
)


class Part(NamedTuple):
    """Some modules, and the tests that should notice a change of them: globs from the project's root."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]
    but: tuple[str, ...] = ()
    tests_by_module: Mapping[str, tuple[str, ...]] = {}

    def tests_of(self, module: str) -> tuple[str, ...]:
        """Return the globs of the tests that should notice a change of one module."""
        return self.tests_by_module.get(module, self.tests)


PARTS = {
    "eventbus": Part(
        (
            "eventbus/*.py",
            *(f"eventbus/{package}/*.py" for package in PACKAGES),
            "eventbus/journeys/keys_under_way.py",
            "eventbus/tracing/request_context.py",
        ),
        BUS_TESTS,
        but=("eventbus/apps.py", "eventbus/failpoints.py", *OVER_KAFKA),
    ),
    "kafka": Part(
        tuple(KAFKA), tuple(dict.fromkeys(test for tests in KAFKA.values() for test in tests)), tests_by_module=KAFKA
    ),
    "orders": Part(
        (
            "mcommerce/orders/*.py",
            *(f"mcommerce/orders/{room}/*.py" for room in ("admin", "carts", "services", "views")),
        ),
        ("tests/mcommerce/orders", *JOURNEYS, SCHEMA),
        but=("mcommerce/orders/apps.py",),
    ),
    "payment": Part(
        ("mcommerce/payment/*.py", "mcommerce/payment/providers/*.py", "mcommerce/payment/services/*.py"),
        ("tests/mcommerce/payment", *JOURNEYS, SCHEMA),
        but=("mcommerce/payment/apps.py",),
    ),
    "stock": Part(
        (
            "mcommerce/products/services/stock.py",
            "mcommerce/products/services/catalogue.py",
            "mcommerce/products/handlers.py",
            "mcommerce/products/services/change_texts.py",
        ),
        ("tests/mcommerce/products", "tests/mcommerce/orders"),
    ),
    "live": Part(LIVE_STATE, ("tests/stations",)),
}
NAMED_ABOVE = {"mcommerce.accounts", "mcommerce.orders", "mcommerce.payment", "mcommerce.products"}  # or left out there


def _whole(app: str) -> Part:
    """An app that no part above names: its modules and services, with its own tests."""
    folder = app.replace(".", "/")
    return Part((f"{folder}/*.py", f"{folder}/services/*.py"), (f"tests/{folder}",), but=(f"{folder}/apps.py",))


PARTS |= {app.rpartition(".")[2]: _whole(app) for app in features(ROOT) if app not in NAMED_ABOVE}
