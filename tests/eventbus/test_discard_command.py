"""`manage.py eventbus discard --with-parked`: whoever says how many are meant means the dead and all behind them."""

from eventbus import Permanent
from tests.eventbus.bus_app import House, Noted
from tests.eventbus.test_commands import run


def die(event: Noted) -> None:
    raise Permanent("poison")


def test_the_dead_and_those_behind_them_are_counted_together(house: House) -> None:
    house.handler(call=die)
    house.say(("vase", 1), ("vase", 2), ("vase", 3), ("chair", 1), ("chair", 2))
    house.settle()

    refused, _, complaint = run("eventbus", "discard", "--all", "--with-parked", "--expect", "4")
    done, _, _ = run("eventbus", "discard", "--all", "--with-parked", "--expect", "5")
    house.settle()

    assert (refused, "2 dead letters and 3 events parked behind them" in complaint) == (1, True)
    assert done == 0
    assert house.parked() == []
