"""`manage.py check`: a site whose events say all that the bus must know has nothing to mend."""

from collections.abc import Iterator

import pytest

from eventbus import effect, handles, registry
from eventbus.checks.declarations import check_effects, check_events, check_groups, check_starts
from tests.eventbus.bus_app import Noted, Sown


def test_the_sites_own_events_and_handlers_are_as_they_should_be() -> None:
    assert [*check_events(), *check_groups(), *check_effects(), *check_starts()] == []


@pytest.fixture
def no_groups() -> Iterator[None]:
    kept = dict(registry.groups)
    registry.groups.clear()
    yield
    registry.groups.clear()
    registry.groups.update(kept)


def test_a_group_with_two_starts_is_refused(no_groups: None) -> None:
    handles(Noted, group="loyalty", start="earliest")(lambda event: None)
    assert check_starts() == []
    handles(Sown, group="loyalty")(lambda event: None)

    [found] = check_starts()

    assert (found.id, "Group loyalty starts both" in found.msg) == ("eventbus.E009", True)
    assert 'Write start="earliest" at each' in str(found.hint)


def test_a_group_of_effects_and_handlers_is_refused(no_groups: None) -> None:
    handles(Noted, group="loyalty")(lambda event: None)
    effect(Sown, group="loyalty", on_unknown_outcome="never")(lambda event, idempotency_key: None)

    assert [found.id for found in check_groups()] == ["eventbus.E005"]


def test_two_effects_of_one_event_in_a_group_are_refused(no_groups: None) -> None:
    for _ in range(2):
        effect(Noted, group="loyalty", on_unknown_outcome="never")(lambda event, idempotency_key: None)

    assert [found.id for found in check_effects()] == ["eventbus.E007"]
