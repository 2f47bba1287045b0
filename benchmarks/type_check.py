"""What it costs that `publish` checks the types of values: the same calls with the check and without it."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from django.db import transaction
from msgspec.structs import replace

from benchmarks.measure import Goal, Row, rate
from benchmarks.sales import SaleMade
from benchmarks.site import Bench
from eventbus import Event, publish
from eventbus.ids import uuid7
from eventbus.publishing.encoding import encode, kinds

ONES = 300  # transactions of a round; a second's worth on a slow disk
ONES_QUICK = 60
AT_ONCE = 500  # a poll's changes in a busy minute
ROUNDS = 21  # the check costs less than two commits differ by, so a median needs many
RATIO_MIN = 0.97  # of the speed without the check
RATIO_MIN_WIDE = 0.7  # with the 33 fields of a station, most of which may be None


def measure(bench: Bench) -> Iterator[Row]:
    from benchmarks.broadcaster import changed

    sales = [SaleMade(order_id=uuid7(), amount=1900, currency="EUR") for _ in range(AT_ONCE)]
    ones = sales[: ONES_QUICK if bench.quick else ONES]
    stations = [changed(number, 2) for number in range(AT_ONCE)]
    yield _row(bench, "publish one, types checked", partial(publish_each, ones), ones, RATIO_MIN)
    for name, events, ratio_min in (
        (f"publish {AT_ONCE} at once, types checked", sales, RATIO_MIN),
        (f"publish {AT_ONCE} stations at once, types checked", stations, RATIO_MIN_WIDE),
    ):
        yield _row(bench, name, partial(publish_all, events), events, ratio_min)


def _row(bench: Bench, name: str, work: Callable[[], None], events: Sequence[Event], ratio_min: float) -> Row:
    def timed() -> float:
        return rate(work, count=len(events))

    def unchecked() -> float:
        encode(events[:1])  # the first of its class: from here on its kind is known
        kind = kinds[type(events[0])]
        kinds[type(events[0])] = replace(kind, fits=lambda _event: True)
        try:
            return timed()
        finally:
            kinds[type(events[0])] = kind

    return bench.row(
        name,
        timed,
        unit="events/s",
        beside="the same without the check",
        peer=unchecked,
        goal=Goal(ratio_min=ratio_min),
        rounds=bench.rounds if bench.quick else ROUNDS,
    )


def publish_each(events: Sequence[Event]) -> None:
    for event in events:
        with transaction.atomic():
            publish(event)


def publish_all(events: Sequence[Event]) -> None:
    with transaction.atomic():
        publish(*events)
