"""The live state: whoever knows an earlier state is told which fields changed since, in one frame."""

import json
from datetime import timedelta
from typing import Any

import pytest
from msgspec import structs

from stations.live.channel import CHANGES_KEPT_MIN, FRAMES_KEPT_MAX
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


def test_a_station_that_left_and_came_back_is_told_whole():
    live = LiveState([view()])
    client = Client(live)
    live.apply([Change(view(gone=True), ("gone",))], at=NOON)
    gone, back = client.hear(live), Client(live)

    live.apply([Change(view(bikes=3), ("appeared",))], at=NOON)

    assert gone == ([], ["simulator/lyon-1"])
    for one in (client, back):
        assert one.hear(live)[1] == []
        assert one.stations == Client(live).stations


def test_a_station_that_moves_to_another_city_is_in_one_of_them():
    live = LiveState([view()])
    client = Client(live, "lyon", "nantes")
    live.apply([Change(structs.replace(view(), contract="nantes"))], at=NOON)

    client.hear(live)
    client.hear(live, "nantes")

    assert [station["name"] for station in client.stations.values()] == ["BELLECOUR"]


def test_whoever_is_behind_the_kept_changes_is_not_reached():
    live = LiveState([view()])
    live.apply([taken(bikes=number % 9) for number in range(CHANGES_KEPT_MIN + 2)], at=NOON)
    channel = live.channel("lyon")

    assert [channel.reaches(seq) for seq in (1, 2, channel.seq, channel.seq + 1)] == [False, True, True, False]


def test_everybody_who_sees_a_city_is_given_the_same_encoded_frame():
    live = LiveState([view()])
    live.apply([taken(bikes=9)], at=NOON)
    channel = live.channel("lyon")

    assert channel.delta(0).text is channel.delta(0).text
    assert channel.snapshot() is channel.snapshot()


def test_a_frame_is_forgotten_when_something_changes_in_its_city_and_only_then():
    live = LiveState([view(), view(1, "nantes")])
    before = [live.channel(name).snapshot() for name in ("lyon", "nantes")]

    live.apply([taken(bikes=9)], at=NOON)

    assert Client(live).stations["simulator/lyon-1"]["bikes"] == 9
    assert [live.channel(name).snapshot() is old for name, old in zip(("lyon", "nantes"), before, strict=True)] == [
        False,
        True,
    ]


def test_a_thousand_different_wishes_are_not_all_kept():
    live = LiveState([view()])
    live.apply([taken(bikes=9)], at=NOON)
    live.sum_up(at=NOON)

    for number in range(1_000):
        live.channel(WORLD).delta(0, frozenset({f"city-{number}"}))
        live.channel(f"city-{number}").snapshot()

    assert len(live.channel(WORLD)._frames) == FRAMES_KEPT_MAX
    assert [*live.contracts] == ["lyon"]


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


def test_a_city_without_stations_is_told_as_removed():
    live = LiveState([view(), view(1, "nantes")])
    client = Client(live, WORLD)
    live.apply([Change(view(gone=True))], at=NOON)
    live.sum_up(at=NOON)

    assert client.hear(live, WORLD) == ([], ["lyon"])
    assert client.cities.keys() == {"nantes"}
