"""Ada, who has an account."""

import pytest
from django.test import Client

from mcommerce.accounts.models import User

EMAIL = "ada@example.com"
PASSWORD = "difference engine no. 2"


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_user(EMAIL, PASSWORD, name="Ada Lovelace", language="en")


@pytest.fixture
def browser(ada: User) -> Client:
    """Ada's, signed in."""
    client = Client(headers={"accept-language": "en"})
    client.force_login(ada)
    return client
