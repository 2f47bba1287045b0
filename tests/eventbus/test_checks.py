"""`manage.py check`: a site whose events say all that the bus must know has nothing to mend."""

from eventbus.checks import check_effects, check_events, check_groups


def test_the_sites_own_events_and_handlers_are_as_they_should_be() -> None:
    assert [*check_events(), *check_groups(), *check_effects()] == []
