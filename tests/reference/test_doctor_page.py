"""An operator looks a finding of the doctor up: the page has every rule as it is."""

from tests.reference.doctor_page import PAGE, PARTS, page, rules


def test_the_page_has_the_rules_as_they_are() -> None:
    assert PAGE.read_text() == page(), "write it anew: make reference"


def test_every_rule_belongs_to_a_part_of_the_page() -> None:
    assert {one.partition(".")[0] for one in rules()} == set(PARTS)
