"""What would bring events to the log too early, too late, twice, or in another order."""

from tests.eventbus.faults.planting import Fault

FAULTS = [
    Fault(
        "order by creation time",
        "eventbus.publishing.relay.Relay.step",
        "_UNSENT",
        '_UNSENT.replace("ORDER BY id", "ORDER BY created_at")',
        fails=["commit_order_decides_not_the_clock"],
    ),
    Fault(
        "the newest first",
        "eventbus.publishing.relay.Relay.step",
        "_UNSENT",
        '_UNSENT.replace("ORDER BY id", "ORDER BY id DESC")',
        fails=["commit_order_decides_when_two_publish_to_one_key"],
    ),
    Fault(
        "append without the lease",
        "eventbus.publishing.relay.Relay.step",
        "self._fence",
        "lambda: None",
        fails=["a_relay_that_has_lost_its_lease_appends_nothing"],
        also=[
            (
                "eventbus.publishing.relay.Relay.__init__",
                "LossDetector(backend, self._fence)",
                "LossDetector(backend, lambda: None)",
            )
        ],
    ),
    Fault(
        "publish what is due without the lease",
        "eventbus.publishing.relay.Relay._publish_due",
        "self._fence()",
        "pass",
        fails=["a_relay_that_has_lost_its_lease_publishes_nothing_that_is_due"],
    ),
    Fault(
        "try again what the log rejected",
        "eventbus.publishing.relay.Relay.step",
        "_UNSENT",
        '_UNSENT.partition("AND rejected")[0] + "ORDER BY id LIMIT %b"',
        fails=["what_the_log_rejected_keeps_nobody_waiting"],
    ),
    Fault(
        "let later events of a rejected key pass",
        "eventbus.publishing.relay.Relay.step",
        "_UNSENT",
        '_UNSENT.partition("AND NOT EXISTS")[0] + "ORDER BY id LIMIT %b"',
        fails=["what_the_log_rejected_is_not_overtaken_by_later_events_of_its_key"],
    ),
    Fault(
        "hold a key's later events back for what was withdrawn",
        "eventbus.publishing.relay.Relay.step",
        "_UNSENT",
        '_UNSENT.replace("AND held.withdrawn_at IS NULL", "")',
        fails=["without_what_was_withdrawn_its_key_goes_on"],
    ),
    Fault(
        "due ignored",
        "eventbus.publishing.outbox.publish",
        "if due is not None:",
        "if False:",
        fails=["a_delayed_event_is_heard_at_its_time_and_not_before"],
    ),
    Fault(
        "timers never",
        "eventbus.publishing.relay.Relay._publish_due",
        "if not sql.fetch(connection, _DUE, [sql.time_value(connection, clock.now())]):",
        "if True:",
        fails=[
            "a_delayed_event_is_heard_at_its_time_and_not_before",
            "a_later_event_waits_for_its_own_time_when_another_is_due",
        ],
    ),
    Fault(
        "timers early, with the first that is due",
        "eventbus.publishing.relay.Relay._publish_due",
        "due = list(Timer.objects.filter(due__lte=clock.now())",
        "due = list(Timer.objects",
        fails=["a_later_event_waits_for_its_own_time_when_another_is_due"],
    ),
    Fault(
        "timers in the order in which they were set",
        "eventbus.publishing.relay.Relay._publish_due",
        'order_by("due", "id")',
        'order_by("id")',
        fails=["what_is_due_comes_in_the_order_of_its_times"],
    ),
    Fault(
        "let go of what is due before it is published",
        "eventbus.publishing.relay.Relay._publish_due",
        'failpoints.hit("timers.gone")',
        'connection.connection.commit()\nfailpoints.hit("timers.gone")',
        fails=["a_delayed_event_comes_once_wherever_the_relay_dies"],
    ),
    Fault(
        "let go of what is due after it was published",
        "eventbus.publishing.relay.Relay._publish_due",
        "Timer.objects.filter(id__in=[timer.id for timer in due]).delete()",
        "outbox.insert(connection, list(map(_sealed, due)))\nconnection.connection.commit()",
        fails=["a_delayed_event_comes_once_wherever_the_relay_dies"],
        also=[
            (
                "eventbus.publishing.relay.Relay._publish_due",
                "outbox.insert(connection, [_sealed(timer) for timer in due])",
                "Timer.objects.filter(id__in=[timer.id for timer in due]).delete()",
            )
        ],
    ),
    Fault(
        "look at timers with a transaction",
        "eventbus.publishing.relay.Relay._publish_due",
        "sql.fetch(connection, _DUE, [sql.time_value(connection, clock.now())])",
        "Timer.objects.exists()",
        fails=["a_relay_writes_nothing_while_timers_only_wait"],
    ),
]
