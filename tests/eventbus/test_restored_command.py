"""`eventbus restored` where the log is the outbox: they went back together."""

import json

from eventbus.models import OutboxRow
from tests.eventbus.bus_app import House
from tests.eventbus.test_commands import run


def test_a_log_in_memory_has_forgotten_nothing(house: House) -> None:
    house.handler()
    house.say(("vase", 1))
    house.settle()

    code, said, complaint = run("eventbus", "restored")

    assert (code, complaint) == (0, "")
    assert said == "Log and database tell of the same past: nothing is to be repaired.\n"
    assert run("eventbus", "restored", "--apply")[0] == 0


def test_numbers_go_on_beyond_what_readers_elsewhere_have_seen(house: House) -> None:
    house.handler()
    house.say(("vase", 1))
    house.settle()
    house.say(("vase", 2))

    code, said, _ = run("eventbus", "restored", "--beyond", "50000", "--json")
    assert (code, json.loads(said)["last"]) == (1, 50000)
    code, said, _ = run("eventbus", "restored", "--beyond", "50000", "--apply")
    house.restart()
    house.say(("vase", 3))
    house.settle()

    assert (code, "numbers go on beyond 50000" in said) == (0, True)
    assert OutboxRow.objects.latest("id").pk == 50001
    assert house.seen(name="vase") == [1, 2, 3]


def test_a_number_that_is_none_is_a_wrong_line(house: House) -> None:
    assert run("eventbus", "restored", "--beyond", "-5")[0] != 0
