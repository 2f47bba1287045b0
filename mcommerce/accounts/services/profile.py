"""Changes that people make to their account."""

from uuid import UUID

from django.db import transaction

from mcommerce.accounts.models import Address, User
from mcommerce.accounts.services import contacts

ADDRESSES_MAX = 20  # of one person; a page of them is still readable


class TooManyAddresses(Exception):
    """The person has `ADDRESSES_MAX` addresses already."""


class AddressUnknown(Exception):
    """The person has no such address."""


def change_details(*, user_id: UUID, name: str, language: str) -> None:
    """Save a person's new name and language."""
    with transaction.atomic():
        person = User.objects.select_for_update().get(id=user_id)
        spoke, person.name, person.language = person.language, name, language
        person.save(update_fields=["name", "language"])
        if spoke != language:
            contacts.publish_contact(user_id=user_id)


@transaction.atomic
def save_address(*, user_id: UUID, address: Address) -> None:
    """Save an address as this person's. Raises TooManyAddresses, and AddressUnknown for another person's."""
    User.objects.select_for_update().get(id=user_id)  # so that two forms sent at once count each other's address
    theirs = Address.objects.filter(user_id=user_id)
    if not Address.objects.filter(id=address.id).exists():
        if theirs.count() >= ADDRESSES_MAX:
            raise TooManyAddresses(user_id)
    elif not theirs.filter(id=address.id).exists():
        raise AddressUnknown(address.id)
    address.user_id = user_id
    address.save()


@transaction.atomic
def remove_address(*, user_id: UUID, address_id: UUID) -> None:
    """Delete an address. Raises AddressUnknown if the person has no such address."""
    if not Address.objects.filter(user_id=user_id, id=address_id).delete()[0]:
        raise AddressUnknown(address_id)
