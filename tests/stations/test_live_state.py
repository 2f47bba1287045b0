"""The live state: whoever knows an earlier state is told what changed since, in one frame."""

import json

from stations.live.live_state import FRAMES_KEPT_MAX, Change, LiveState, StationView
from tests.stations.socket_client import NOON, key, placed, state


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


def delta(state: LiveState, after: int, contracts: frozenset[str] | None = None) -> dict:
    return json.loads(state.delta(contracts, after=after).text)


def test_a_snapshot_holds_every_station_but_the_gone():
    state = LiveState([view(1), view(2, gone=True)])

    told = json.loads(state.snapshot())

    assert [station["id"] for station in told["stations"]] == ["simulator/lyon-1"]
    assert (told["seq"], told["epoch"]) == (0, state.epoch)


def test_differences_of_electrical_bikes_add_up_and_are_unknown_when_one_of_them_is():
    state = LiveState([view(1), view(2)])
    known = [Change(view(1), taken_electrical=2, returned_electrical=1) for _change in range(3)]
    half_known = [Change(view(2), taken_electrical=2), Change(view(2), returned_electrical=1)]
    state.apply([*known, *half_known], at=NOON)

    changes = delta(state, after=0)["changes"]

    assert [(one["taken_electrical"], one["returned_electrical"]) for one in changes] == [(6, 3), (None, None)]


def test_of_many_changes_of_a_station_the_last_value_wins_and_the_differences_add_up():
    state = LiveState([view()])
    state.apply([taken(bikes=9), Change(view(bikes=11), ("returned",), returned=2)], at=NOON)

    told = delta(state, after=0)

    (change,) = told["changes"]
    assert (change["bikes"], change["taken"], change["returned"]) == (11, 1, 2)
    assert change["kinds"] == ["taken", "returned"]
    assert (told["prev"], told["seq"]) == (0, 2)


def test_unknown_kinds_of_bikes_stay_unknown_when_added():
    state = LiveState([view()])
    known, unknown = (Change(view(), ("taken",), 1, 0, electrical, electrical) for electrical in (1, None))
    state.apply([known, unknown], at=NOON)

    assert delta(state, after=0)["changes"][0]["taken_electrical"] is None
    assert delta(state, after=1)["changes"][0]["taken_electrical"] is None


def test_a_station_that_left_and_came_back_is_not_removed():
    state = LiveState([view()])
    state.apply([Change(view(gone=True), ("gone",)), Change(view(bikes=3), ("appeared",))], at=NOON)

    assert delta(state, after=0)["removed"] == []
    assert delta(state, after=0)["changes"][0]["bikes"] == 3


def test_a_station_that_is_gone_is_removed():
    state = LiveState([view()])
    state.apply([Change(view(gone=True), ("gone",))], at=NOON)

    assert delta(state, after=0)["removed"] == ["simulator/lyon-1"]
    assert delta(state, after=0)["changes"] == []


def test_only_the_contracts_followed_are_told():
    state = LiveState([view(), view(1, "nantes")])
    state.apply([taken(bikes=9), taken(1, "nantes", bikes=8)], at=NOON)

    told = delta(state, after=0, contracts=frozenset({"nantes"}))

    assert [change["id"] for change in told["changes"]] == ["simulator/nantes-1"]


def test_whoever_is_behind_the_window_is_not_reached():
    state = LiveState([view()], changes_kept_max=3)
    state.apply([taken(bikes=bikes) for bikes in (9, 8, 7, 6, 5)], at=NOON)

    assert [state.reaches(seq) for seq in (1, 2, 5, 6)] == [False, True, True, False]


def test_everybody_at_the_same_place_is_given_the_same_encoded_frame():
    state = LiveState([view()])
    state.apply([taken(bikes=9)], at=NOON)

    assert state.delta(None, after=0).text is state.delta(None, after=0).text
    assert state.snapshot() is state.snapshot()


def test_a_frame_is_forgotten_when_something_changes():
    state = LiveState([view()])
    state.snapshot()

    state.apply([taken(bikes=9)], at=NOON)

    assert json.loads(state.snapshot())["stations"][0]["bikes"] == 9


def test_a_thousand_different_wishes_are_not_all_kept():
    state = LiveState([view()])

    for number in range(1_000):
        state.snapshot(frozenset({f"city-{number}"}))

    assert len(state._frames) == FRAMES_KEPT_MAX
