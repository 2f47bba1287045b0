"""Days in the simulated cities are believable, and the same for everyone with the same seed."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from stations.feeds.cities import BY_NAME, LIVE
from stations.simulator.simulated_world import MONDAY, World

HOUR, DAY, WEEK = 3600, 86_400, 7 * 86_400
SOME_MONDAY = MONDAY + 126 * WEEK  # in June 2026
STEP_MAX = 3  # bikes between two polls


class Clock:
    def __init__(self, at: float = SOME_MONDAY) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


def bikes(world: World) -> dict[tuple[str, int], int]:
    rows = world.stations("v1") or []
    return {(row["contract_name"], row["number"]): row["available_bikes"] for row in rows}


def at(hour: float, day: int = 0, *, seed: int = 1, contract: str | None = None) -> World:
    contracts = [BY_NAME[contract]] if contract else LIVE
    return World(seed=seed, clock=Clock(SOME_MONDAY + day * DAY + hour * HOUR), contracts=contracts)


def test_all_live_contracts_have_their_stations_and_every_station_its_own_number():
    rows = at(12).stations("v3") or []

    assert Counter(row["contractName"] for row in rows) == {contract.name: contract.stations for contract in LIVE}
    assert 2500 <= len(rows) <= 2600
    assert len({(row["contractName"], row["number"]) for row in rows}) == len(rows)


def test_both_versions_tell_the_same():
    world = at(9)

    v1 = {(row["contract_name"], row["number"]): row for row in world.stations("v1") or []}
    for row in world.stations("v3") or []:
        other = v1[row["contractName"], row["number"]]
        assert row["totalStands"]["availabilities"]["bikes"] == other["available_bikes"]
        assert row["totalStands"]["availabilities"]["stands"] == other["available_bike_stands"]
        assert row["status"] == other["status"]


@given(seed=st.integers(), seconds=st.floats(0, 52 * WEEK), speed=st.sampled_from([1.0, 4.0, 60.0]))
@settings(max_examples=6, deadline=None)
def test_two_servers_with_one_seed_and_clock_agree_whatever_they_were_asked_before(
    seed: int, seconds: float, speed: float
):
    clock = Clock()
    asked_before, fresh = (World(seed=seed, speed=speed, clock=clock, contracts=[BY_NAME["lund"]]) for _ in range(2))
    asked_before.stations("v3", "lund")

    clock.at += seconds

    assert asked_before.stations("v3", "lund") == fresh.stations("v3", "lund")


@given(start=st.floats(0, 52 * WEEK), steps=st.integers(5, 20))
@settings(max_examples=6, deadline=None)
def test_bikes_move_in_small_steps(start: float, steps: int):
    clock = Clock(SOME_MONDAY + start)
    world = World(seed=1, speed=10, clock=clock, contracts=[BY_NAME["luxembourg"]])
    before = bikes(world)

    for _ in range(steps):
        clock.at += 2
        after = bikes(world)
        assert max(abs(after[key] - before[key]) for key in after) <= STEP_MAX
        before = after


@given(hour=st.floats(0, 24), day=st.integers(0, 364), contract=st.sampled_from(["lyon", "dublin", "seville"]))
@settings(max_examples=10, deadline=None)
def test_bikes_are_neither_made_nor_lost(hour: float, day: int, contract: str):
    """What leaves the homes is at work: a city's bikes stay within a tenth of their number at night."""
    at_night = sum(bikes(at(1, contract=contract)).values())

    assert abs(sum(bikes(at(hour, day, contract=contract)).values()) - at_night) < 0.1 * at_night


def flow(contract: str, morning: float, noon: float, day: int) -> int:
    """How many bikes changed sides between two hours."""
    before, after = bikes(at(morning, day, contract=contract)), bikes(at(noon, day, contract=contract))
    return sum(abs(after[key] - before[key]) for key in after)


def test_commuters_move_many_bikes_on_weekdays_and_few_on_sundays():
    assert flow("lyon", 5, 9.5, day=1) > 2 * flow("lyon", 5, 9.5, day=6)


def test_a_few_stations_never_tell_their_heartbeat_and_none_tells_one_of_tomorrow():
    world = at(12)

    reported = [row["last_update"] for row in world.stations("v1") or []]

    assert 0 < reported.count(None) < 20
    assert max(when for when in reported if when) <= (SOME_MONDAY + 12 * HOUR) * 1000
