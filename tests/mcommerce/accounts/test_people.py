"""One person, one account, however the address is written."""

import pytest
from django.db import IntegrityError, transaction

from mcommerce.accounts.models import User

pytestmark = pytest.mark.django_db


def test_an_address_in_other_letters_is_the_same_person() -> None:
    ada = User.objects.create_user("Ada@Example.COM", "secret")

    assert ada.email == "ada@example.com"
    assert User.objects.get(email="ADA@example.com") == ada
    assert User.objects.get_by_natural_key("aDa@example.com") == ada
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create_user("ADA@EXAMPLE.COM", "secret")
