"""What would let a browser's process miss what happened."""

from tests.eventbus.faults.planting import Fault

FAULTS = [
    Fault(
        "watch from the end as it is when the thread begins",
        "eventbus.consuming.watching.Watch.__init__",
        "self._consumer.seek(partition, self._backend.end(partition))",
        "pass",
        fails=["what_is_told_before_a_watchs_thread_has_begun_is_heard"],
        also=[
            (
                "eventbus.consuming.watching.Watch._run",
                "while not self._stop.is_set():",
                "for one in self._consumer.assignment(): self._consumer.seek(one, self._backend.end(one))\n"
                "while not self._stop.is_set():",
            )
        ],
    ),
    Fault(
        "watch from the beginning",
        "eventbus.consuming.watching.Watch.__init__",
        "self._backend.end(partition)",
        "0",
        fails=["a_watch_hears_what_comes_after_it_and_nothing_rolled_back"],
    ),
    Fault(
        "watch reset never called",
        "eventbus.consuming.watching.Watch._run",
        "self._lost = True",
        "self._lost = False",
        fails=[
            "a_watch_that_stumbles_is_told_to_load_again_and_goes_on",
            "a_watch_that_cannot_load_tries_until_it_has_and_then_goes_on",
        ],
    ),
    Fault(
        "a watch skips what came while it could not load",
        "eventbus.consuming.watching.Watch._run",
        "self._lost = True",
        "self._lost = True\nfor one in self._consumer.assignment(): self._consumer.seek(one, self._backend.end(one))",
        fails=["a_watch_that_cannot_load_tries_until_it_has_and_then_goes_on"],
    ),
    Fault(
        "a watch hears the newest first",
        "eventbus.consuming.watching.Watch._receive",
        "for record in records",
        "for record in reversed(records)",
        fails=["a_watch_hears_each_key_in_order_and_many_events_at_once"],
    ),
    Fault(
        "a watch hears one event at a time",
        "eventbus.consuming.watching.Watch._receive",
        "self._call(events)",
        "for event in events:\n    self._call([event])",
        fails=["a_watch_hears_each_key_in_order_and_many_events_at_once"],
    ),
    Fault(
        "a watch stumbles over what it cannot read",
        "eventbus.consuming.watching.Watch._open",
        'logger.warning("A watch left out what it cannot read: %s", error)',
        "raise",
        fails=["a_watch_leaves_out_what_it_cannot_read"],
    ),
    Fault(
        "a closed watch goes on for a while",
        "eventbus.consuming.watching.Watch.close",
        "self._stop.set()",
        "threading.Timer(1.0, self._stop.set).start()\nreturn",
        fails=["a_watch_that_was_closed_hears_no_more"],
    ),
    Fault(
        "believe that nobody else appends",
        "eventbus.backends.memory.MemoryBackend.ends",
        "if self._appends else {}",
        "if True else {}",
        fails=["a_watch_in_another_process_hears_what_this_one_appends"],
        also=[("eventbus.backends.memory.MemoryBackend.ends", "if self._appends:", "if True:")],
    ),
]
