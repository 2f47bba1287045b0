"""The events by which other modules know how to write to the owners of accounts."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import transaction

from eventbus import publish
from mcommerce.accounts.models import User
from mcommerce.events import CustomerContactChanged, CustomerDeleted

FIELDS = {"email", "language", "is_active"}  # of an account: a change of one is a change of the contact
ACCOUNTS_AT_ONCE = 200  # in one transaction, which holds the outbox's locks


def publish_contact(*, user_id: UUID) -> None:
    """Publish the present address and language of a person. Call it in the transaction that changes them."""
    publish(*_contacts([User.objects.get(id=user_id)]))


def publish_all_contacts() -> int:
    """Publish the contact of every account again, for modules that start late. Returns the number of accounts."""
    count, last = 0, UUID(int=0)
    while True:
        with transaction.atomic():
            found = list(User.objects.filter(id__gt=last).order_by("id").select_for_update()[:ACCOUNTS_AT_ONCE])
            if not found:
                return count
            publish(*_contacts(found))
        count, last = count + len(found), found[-1].id


def publish_verified(*, email_address: EmailAddress, **told: Any) -> None:
    """Publish the contact of a person who has verified an address. allauth has committed the address before."""
    with transaction.atomic():
        publish_contact(user_id=email_address.user_id)


def publish_deleted(*, instance: User, **told: Any) -> None:
    """Publish that an account is deleted, in the transaction that deletes it."""
    publish(CustomerDeleted(customer_id=instance.id))


def contact_of(account_id: str) -> tuple[str, str]:
    """Return the verified address of an account and its language: "" while nobody may write to it, or it is gone."""
    person = User.objects.filter(id=account_id).first()
    if person is None:
        return "", ""
    [contact] = _contacts([person])
    return contact.email, contact.language


def _contacts(people: Sequence[User]) -> list[CustomerContactChanged]:
    verified = EmailAddress.objects.filter(user__in=people, verified=True, primary=True)
    emails = dict(verified.values_list("user_id", "email"))
    return [
        CustomerContactChanged(
            customer_id=person.id,
            email=emails.get(person.id, "") if person.is_active else "",
            language=person.language or settings.SHOP_LANGUAGE,
        )
        for person in people
    ]
