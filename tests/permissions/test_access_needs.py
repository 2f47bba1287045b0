"""Two needs that are joined let in whoever meets both, and nobody else."""

import pytest

from tests.permissions.access_needs import (
    ALL,
    NO_METHOD,
    NOBODY,
    OWNER,
    SIGNED_IN,
    STAFF,
    SUPERUSER,
    Need,
    Visitor,
    owner_or,
    permission,
)

SEES, CANCELS = "orders.view_order", "orders.cancel_order"


def clerk(*permissions: str) -> Visitor:
    return Visitor("clerk", signed_in=True, staff=True, permissions=frozenset(permissions))


def test_staff_need_the_permissions_of_both_sides() -> None:
    both = permission(SEES) & permission(CANCELS)

    assert both.lets_in(clerk(SEES, CANCELS))
    assert not both.lets_in(clerk(SEES)) and not both.lets_in(clerk(CANCELS))


def test_joined_with_staff_a_permission_is_still_needed() -> None:
    for joined in (STAFF & permission(SEES), permission(SEES) & STAFF):
        assert joined.lets_in(clerk(SEES))
        assert not joined.lets_in(clerk())


@pytest.mark.parametrize(
    "other",
    [ALL, SIGNED_IN, OWNER, SUPERUSER, NOBODY, NO_METHOD, owner_or(CANCELS), Need(clauses=((CANCELS,),), staff=True)],
)
def test_who_writes_a_row_is_told_that_another_need_cannot_be_joined(other: Need) -> None:
    for one, two in ((other, permission(SEES)), (permission(SEES), other), (other, other)):
        with pytest.raises(AssertionError, match="joins only STAFF and permissions"):
            one & two
