"""Ada, who has an account."""

import re

import pytest
from django.core import mail
from django.test import Client

from mcommerce.accounts.models import User

EMAIL = "ada@example.com"
PASSWORD = "difference engine no. 2"
SIGN_IN = "/accounts/sign-in/"
CODE_PAGE = "/accounts/email/code/"


@pytest.fixture
def ada(db: None) -> User:
    user = User.objects.create_user(EMAIL, PASSWORD, name="Ada Lovelace", language="en")
    user.trust_email()
    return user


@pytest.fixture
def browser(ada: User) -> Client:
    """Ada's, signed in."""
    client = Client(headers={"accept-language": "en"})
    client.force_login(ada)
    return client


def sign_in(client: Client, email: str = EMAIL, password: str = PASSWORD, path: str = SIGN_IN, **headers: str):  # type: ignore[no-untyped-def]
    return client.post(path, {"login": email, "password": password}, headers={"accept-language": "en"}, **headers)


def signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def mailed_code() -> str:
    """The code of the latest mail."""
    [code] = re.findall(r"^[A-Z]{4}-[A-Z]{4}$", mail.outbox[-1].body, re.MULTILINE)
    return code


def type_code(client: Client, code: str):  # type: ignore[no-untyped-def]
    return client.post(CODE_PAGE, {"code": code})


def reauthenticate(client: Client, password: str = PASSWORD, then: str = "/accounts/"):  # type: ignore[no-untyped-def]
    return client.post(f"/accounts/confirm/?next={then}", {"password": password})
