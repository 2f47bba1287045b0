"""What would tell what did not happen, or not tell what did."""

from tests.eventbus.faults.planting import Fault

FAULTS = [
    Fault(
        "deliver a rolled-back event",
        "eventbus.publishing.outbox.publish",
        "return [one.event_id for one in sealed]",
        "connection.connection.commit()\nreturn [one.event_id for one in sealed]",
        fails=[
            "what_is_rolled_back_is_never_heard_of",
            "a_delayed_event_of_a_rolled_back_transaction_never_comes",
            "a_watch_hears_what_comes_after_it_and_nothing_rolled_back",
        ],
    ),
    Fault(
        "write the outbox after the commit, savepoints or not",
        "eventbus.publishing.outbox.publish",
        "insert(connection, sealed, ordered=not unordered)",
        "connection.run_on_commit.append((set(), lambda: insert(connection, sealed, ordered=not unordered), False))",
        fails=["a_savepoint_that_is_rolled_back_takes_its_events_along"],
    ),
    Fault(
        "publish outside a transaction",
        "eventbus.publishing.outbox._refuse_outside_transaction",
        "for block in",
        "return\nfor block in",
        fails=["publishing_outside_a_transaction_is_refused"],
    ),
    Fault(
        "take a test's own transaction for one",
        "eventbus.publishing.outbox._refuse_outside_transaction",
        'not getattr(block, "_from_testcase", False)',
        "True",
        fails=["the_transaction_of_a_test_case_does_not_count_as_one"],
    ),
    Fault(
        "a statement for each event",
        "eventbus.publishing.outbox.publish",
        "insert(connection, sealed, ordered=not unordered)",
        "for one in sealed:\n    insert(connection, [one], ordered=not unordered)",
        fails=["many_events_are_one_statement"],
    ),
    Fault(
        "take a value of any type",
        "eventbus.events._encode",
        "refuse_wrong_types(event)",
        "pass",
        fails=["a_value_of_another_type_is_refused_with_its_field"],
    ),
    Fault(
        "size unlimited",
        "eventbus.events._encode",
        "if len(payload) > EVENT_BYTES_MAX:",
        "if False:",
        fails=["an_event_that_is_too_large_is_refused", "the_largest_event_is_carried"],
    ),
    Fault(
        "NUL allowed",
        "eventbus.events._encode",
        'if b"\\\\u0000" in payload and _holds_nul(payload):',
        "if False:",
        fails=["a_text_that_not_every_database_keeps_is_refused"],
    ),
    Fault(
        "take an escaped escape for NUL",
        "eventbus.events._holds_nul",
        "return _any_nul(msgspec.json.decode(payload))",
        "return True",
        fails=["a_text_that_only_looks_like_it_is_carried"],
    ),
    Fault(
        "publish without a key",
        "eventbus.events._encode",
        'if not key or len(key) > KEY_CHARACTERS_MAX or "\\0" in key:',
        "if False:",
        fails=["an_event_without_a_key_to_keep_its_order_by_is_refused"],
    ),
    Fault(
        "lose what gives up its order",
        "eventbus.publishing.outbox.publish",
        "insert(connection, sealed, ordered=not unordered)",
        "if not unordered:\n    insert(connection, sealed, ordered=not unordered)",
        fails=["who_gives_up_the_order_is_heard_all_the_same"],
    ),
    Fault(
        "give up the order for no reason",
        "eventbus.publishing.outbox._refuse_without_reason",
        "if not isinstance(unordered, str) or not unordered.strip():",
        "if False:",
        fails=["giving_up_the_order_for_no_reason_is_refused"],
    ),
    Fault(
        "say nothing of the key on the wire",
        "eventbus.events._envelope",
        '"partitionkey":{subject}',
        '"partitionkey":""',
        fails=["an_event_says_what_it_is_to_programs_in_any_language"],
    ),
    Fault(
        "forget the cause",
        "eventbus.events.with_causation",
        "_handled.set(record)",
        "_handled.set(None)",
        fails=["what_a_handler_tells_names_its_cause", "each_names_the_event_that_it_follows_from"],
    ),
    Fault(
        "tell though the handler failed",
        "eventbus.publishing.outbox.gathered",
        "_gathering.reset(token)",
        "_gathering.reset(token)\n"
        "_add_gathered(connections[DEFAULT_DB_ALIAS])\n"
        "connections[DEFAULT_DB_ALIAS].connection.commit()",
        fails=[
            "what_a_handler_tells_before_it_fails_was_never_told",
            "a_handler_that_fails_after_publishing_has_published_nothing",
        ],
    ),
]
