"""Ada signs in and out."""

from django.test import Client

from mcommerce.accounts.models import User
from tests.mcommerce.accounts.conftest import EMAIL, PASSWORD, SIGN_IN, mailed_code, sign_in, signed_in, type_code


def test_ada_signs_in_however_she_writes_her_address(client: Client, ada: User) -> None:
    answer = sign_in(client, "ADA@Example.com")

    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert signed_in(client)


def test_ada_goes_where_she_wanted_to_go_but_never_to_another_site(client: Client, ada: User) -> None:
    assert sign_in(client, path=f"{SIGN_IN}?next=/checkout/")["Location"] == "/checkout/"

    assert sign_in(Client(), path=f"{SIGN_IN}?next=https://evil.example/")["Location"] == "/"


def test_ada_reads_the_pages_in_her_language(client: Client, ada: User) -> None:
    User.objects.update(language="fr")

    assert sign_in(client).cookies["django_language"].value == "fr"


def test_a_wrong_password_and_an_unknown_address_read_the_same(client: Client, ada: User) -> None:
    wrong = sign_in(client, password="wrong").content.decode()
    unknown = sign_in(client, email="bob@example.com").content.decode()

    for page in (wrong, unknown):
        assert "The e-mail address or the password is not correct." in page
    assert not signed_in(client)


def test_who_never_verified_an_address_does_so_at_sign_in_and_goes_on(client: Client, db: None) -> None:
    User.objects.create_user(EMAIL, PASSWORD)

    sign_in(client, path=f"{SIGN_IN}?next=/checkout/")
    assert not signed_in(client)

    assert type_code(client, mailed_code())["Location"] == "/checkout/"
    assert signed_in(client)


def test_signing_out_takes_a_button(browser: Client) -> None:
    assert browser.get("/accounts/sign-out/").status_code == 200
    assert signed_in(browser)

    assert browser.post("/accounts/sign-out/")["Location"] == "/"
    assert not signed_in(browser)


def test_a_closed_account_does_not_open(client: Client, ada: User) -> None:
    User.objects.update(is_active=False)

    answer = sign_in(client)

    assert not signed_in(client)
    assert (
        "This account is closed" in client.get(answer["Location"], headers={"accept-language": "en"}).content.decode()
    )
