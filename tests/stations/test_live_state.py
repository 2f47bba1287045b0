"""The live state: whoever knows an earlier state is told which fields changed since, in one frame."""

import json
from datetime import timedelta
from typing import Any

import pytest
from msgspec import structs

from stations.live.live_state import WORLD, LiveState
from stations.live.station_view import Change, StationView
from tests.stations.live_copy import LiveCopy, decoded
from tests.stations.socket_client import NOON, key, placed, state

CHANGE_BYTES_MAX = 150  # of the frame of one station that changed
CITY_BYTES_MAX = 20_000  # of a snapshot of Lyon's 465 stations


def view(number: int = 1, contract: str = "lyon", version: int = 1, **changed: object) -> StationView:
    where = key(number, contract)
    seen = placed(where, state(**changed))
    values = {name: getattr(seen, name) for name in seen.__struct_fields__}
    return StationView(
        id="/".join(where),
        state="fresh",
        seen_at=None,
        **where._asdict(),
        version=version,
        reported_at=None,
        polled_at=NOON,
        **values,
    )


def taken(number: int = 1, contract: str = "lyon", *, bikes: int, taken: int = 1) -> Change:
    return Change(view(number, contract, bikes=bikes), ("taken",), taken=taken)


class Client(LiveCopy):
    """A client that holds the live state from its beginning."""

    def __init__(self, live: LiveState, *names: str) -> None:
        super().__init__()
        for name in names or ("lyon",):
            self.take(decoded(live.channel(name).snapshot()))

    def hear(self, live: LiveState, name: str = "lyon") -> tuple[list[dict[str, Any]], list[str]]:
        """What the delta after the held seq tells: the stations whole, and the ids of the removed ones."""
        return self.happened(json.loads(live.channel(name).delta(self.seqs[name]).text))


def test_a_snapshot_holds_every_station_but_the_gone():
    live = LiveState([view(1), view(2, gone=True)])

    client = Client(live)

    assert client.stations.keys() == {"simulator/lyon-1"}
    assert (client.seqs, client.epoch) == ({"lyon": 0}, live.epoch)


def test_only_the_fields_that_changed_are_sent():
    live = LiveState([view(1), view(2)])

    live.apply([taken(2, bikes=9)], at=NOON)

    told = json.loads(live.channel("lyon").delta(0).text)
    names = decoded(live.channel("lyon").snapshot())["fields"]
    assert told["changes"] == [[1, names.index("bikes"), 9, names.index("taken"), 1]]


def test_one_change_costs_few_bytes_and_a_city_not_many():
    live = LiveState([view(number, name=f"{number} - RUE {number * 7919}") for number in range(1, 466)])
    changed = view(460, bikes=19, mechanical=15, stands=1, name=f"460 - RUE {460 * 7919}")
    later = NOON + timedelta(minutes=1)
    told = structs.replace(changed, polled_at=later, reported_at=later - timedelta(seconds=17))

    live.apply([Change(told, ("taken",), taken=1, taken_electrical=1)], at=later + timedelta(seconds=0.8))

    assert len(live.channel("lyon").delta(0).text) <= CHANGE_BYTES_MAX
    assert len(live.channel("lyon").snapshot()) <= CITY_BYTES_MAX


def test_differences_of_electrical_bikes_add_up_and_are_left_out_when_one_of_them_is_unknown():
    live = LiveState([view(1), view(2)])
    known = [Change(view(1), taken_electrical=2, returned_electrical=1) for _change in range(3)]
    half_known = [Change(view(2), taken_electrical=2), Change(view(2), taken=1, returned_electrical=1)]
    client = Client(live)
    live.apply([*known, *half_known], at=NOON)

    changes, _removed = client.hear(live)

    assert [(one["taken_electrical"], one["returned_electrical"]) for one in changes] == [(6, 3), (None, None)]


def test_of_many_changes_of_a_station_the_last_value_wins_and_the_differences_add_up():
    live = LiveState([view()])
    client = Client(live)
    live.apply([taken(bikes=9), Change(view(bikes=11), ("returned", "opened"), returned=2)], at=NOON)

    [change], _removed = client.hear(live)

    assert (change["bikes"], change["taken"], change["returned"]) == (11, 1, 2)
    assert change["kinds"] == ["taken", "returned", "opened"]
    assert client.seqs == {"lyon": 2}


@pytest.mark.parametrize("gone", [False, True])
def test_the_sums_of_a_city_are_those_of_its_open_stations(gone: bool):
    closed = structs.replace(view(4, bikes=7), state="closed")
    live = LiveState([view(1, bikes=0, stands=20), view(2), view(3, bikes=50), closed])
    client = Client(live, WORLD)
    live.apply([Change(view(2, bikes=4, gone=gone))], at=NOON)
    live.sum_up(at=NOON)
    client.hear(live, WORLD)

    city = client.cities["lyon"]

    assert city == Client(live, WORLD).cities["lyon"]
    wanted = {"listed": 3, "stations": 2, "bikes": 50} if gone else {"listed": 4, "stations": 3, "bikes": 54}
    assert city.items() >= (wanted | {"empty": 1, "contract": "lyon", "feed": "simulator"}).items()
