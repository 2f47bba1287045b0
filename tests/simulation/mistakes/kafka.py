"""Mistakes that only a bus over Kafka can have."""

import os
import re
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any
from uuid import uuid4

from eventbus.backends.kafka import envelope, signing
from eventbus.backends.kafka.backend import KafkaBackend
from eventbus.backends.kafka.key_partitions import Partitions
from eventbus.backends.kafka.producer import Outcome, Sender, Sent
from eventbus.consuming import trust
from eventbus.consuming.outbox_backfill import Backfill
from eventbus.errors import LogUnavailable
from eventbus.progress import group_starts
from eventbus.recovery import own_outbox_rows, reused_offsets
from eventbus.recovery.log_truncation import TruncationDetector
from tests.simulation.mistakes import mistake as of_the_bus
from tests.simulation.mistakes.mistake import Promise, Right

ASK_SECONDS = 5.0
SIGNED = ("a_signature_fits_nothing_but_its_own_record",)
BACKFILL = "tests/eventbus/test_kafka_backfill.py"
CONTRACT = "tests/eventbus/test_kafka_backend.py"
RESTORED = "tests/eventbus/test_kafka_database_restored.py"
SENDING = "tests/eventbus/test_kafka_sending.py"
TOOLS = "tests/eventbus/test_kafka_tools.py"
TRUST = "tests/eventbus/test_kafka_trust.py"
LOST = "tests/eventbus/test_kafka_lost.py"
NEW_GROUPS = "tests/eventbus/test_kafka_new_groups.py"

mistake = partial(of_the_bus.mistake, only="kafka")
_beyond = count(10**9)  # offsets at which no record lies


# --- sending -------------------------------------------------------------------------------------------------------


@mistake(
    envelope.headers_of,
    breaks=Promise.HANDLED_ONCE,
    noticed_by=["what_is_committed_is_heard_by_every_group"],
    where=CONTRACT,
)
def an_event_gets_its_id_when_it_is_sent(right: Right, row: Any, partition: int) -> Any:
    return right(row._replace(headers=re.sub(r'"id":"[^"]*"', f'"id":"{uuid4()}"', row.headers, count=1)), partition)


@mistake(
    Sender.send,
    breaks=Promise.NOTHING_LOST,
    noticed_by=["what_has_no_answer_holds_up_and_blames_nothing_else"],
    where=SENDING,
)
def an_event_without_an_acknowledgement_counts_as_sent(right: Right, self: Sender, rows: Sequence[Any]) -> Outcome:
    outcome = Outcome([], {}, "")
    with suppress(LogUnavailable):
        outcome = right(self, rows)
    there = {sent.id for sent in outcome.sent}
    invented = [Sent(row.id, os.getpid() % 30_000, next(_beyond)) for row in rows if row.id not in there]
    return Outcome([*outcome.sent, *invented], {}, "")


@mistake(
    Partitions.learn,
    breaks=Promise.ORDER,
    noticed_by=["partitions_added_while_a_group_lags_move_no_key"],
    where=TOOLS,
)
def added_partitions_get_keys_at_once(right: Right, self: Partitions, topics: Collection[str]) -> None:
    """Keys lie where any client would put them, in partitions that no group reads yet."""
    self._placed_by |= {topic: self._ask(topic, ASK_SECONDS) for topic in topics}


# --- reading -------------------------------------------------------------------------------------------------------


@mistake(
    Backfill._open,
    breaks=Promise.NOTHING_LOST,
    noticed_by=["what_retention_took_while_a_group_was_paused_is_handled_from_the_outbox"],
    where=BACKFILL,
)
def deleted_records_are_skipped(right: Right, self: Backfill, consumer: Any, place: Any, begin: int, end: int) -> None:
    """As a client does by itself: it goes on where the log begins."""
    self._seek(consumer, place, end)


@mistake(
    reused_offsets.refuse,
    TruncationDetector.found,
    TruncationDetector.at_once,
    KafkaBackend._refuse_offsets_given_before,
    breaks=Promise.NOTHING_LOST,
    noticed_by=["a_log_that_ends_before_what_it_gave_out_is_filled_again"],
    where=LOST,
)
def a_log_that_lost_its_end_is_not_noticed(right: Right, *given: Any) -> set[str]:
    return set()


@mistake(
    own_outbox_rows.trusted,
    breaks=Promise.NOTHING_LOST,
    noticed_by=["nothing_that_the_database_forgot_is_handled_whoever_is_first"],
    where=RESTORED,
)
def events_that_a_restore_forgot_are_handled(right: Right, records: Any) -> list[Any]:
    return []


# --- others who write to the brokers -------------------------------------------------------------------------------


@mistake(signing.is_signed, breaks=Promise.TRUST, noticed_by=SIGNED, where=TRUST)
def any_signature_is_believed(right: Right, *given: Any) -> bool:
    return True


@mistake(
    trust._may_publish, breaks=Promise.TRUST, noticed_by=["what_a_stranger_says_is_not_heard_and_named"], where=TRUST
)
def a_stranger_publishes_any_event(right: Right, record: Any, event_type: Any) -> bool:
    return event_type is not None


# --- new groups ----------------------------------------------------------------------------------------------------


@mistake(
    group_starts._ignore_unsent,
    breaks=Promise.NOTHING_LOST,
    noticed_by=["a_group_made_while_a_log_is_filled_again_handles_nothing_old"],
    where=NEW_GROUPS,
)
def a_new_group_handles_what_a_refill_has_still_to_append(right: Right, *given: Any) -> Counter[Any]:
    return Counter()


@mistake(
    group_starts._begin_amid_refill,
    breaks=Promise.VISIBLE,
    noticed_by=["a_group_made_before_the_relay_has_noted_what_it_sent_again_is_counted_right"],
    where=NEW_GROUPS,
)
def a_new_group_begins_at_the_end_of_a_log_that_is_being_filled(right: Right, topic: str, begins: Any) -> Any:
    return begins
