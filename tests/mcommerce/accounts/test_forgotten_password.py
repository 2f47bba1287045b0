"""Ada has forgotten her password; a mailed link opens her account."""

import re

import pytest
from django.core import mail
from django.test import Client

from mcommerce.accounts.limits import MAILS_MAX
from mcommerce.accounts.models import User
from tests.mcommerce.accounts.conftest import EMAIL, PASSWORD, signed_in

FORGOTTEN = "/accounts/password/forgotten/"
NEW_PASSWORD = "analytical engine 1"
NEW = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}


def mailed_link(client: Client) -> str:
    client.post(FORGOTTEN, {"email": EMAIL})
    [link] = re.findall(r"/accounts/password/forgotten/\S+", mail.outbox[-1].body)
    return link


def test_ada_chooses_another_and_is_signed_in(client: Client, ada: User) -> None:
    form = client.get(mailed_link(client))["Location"]

    client.post(form, NEW)

    ada.refresh_from_db()
    assert ada.check_password(NEW_PASSWORD)
    assert signed_in(client)
    assert mail.outbox[-1].to == [EMAIL], "nobody told her"


def test_the_key_is_where_logs_leave_it_out_and_in_no_address_of_a_page(client: Client, ada: User) -> None:
    link = mailed_link(client)
    key = link.partition("?key=")[2]

    form = client.get(link)["Location"]

    assert len(key) > 40
    assert key.partition("-")[2] not in form


def test_a_link_works_once(client: Client, ada: User) -> None:
    link = mailed_link(client)
    client.post(client.get(link)["Location"], NEW)
    other = Client(headers={"accept-language": "en"})

    page = other.get(other.get(link)["Location"]).content.decode()

    assert "This link no longer works" in page


@pytest.mark.parametrize("key", ["", "x", "-", "x-y-z", "a b-c", "\x00-\x00", "é-é", "9" * 5_000 + "-x"])
def test_what_is_no_key_opens_nothing(client: Client, ada: User, key: str) -> None:
    answer = client.get(f"{FORGOTTEN}link/", {"key": key})

    if answer.status_code == 302:  # what no address may hold is refused before
        assert "no longer works" in client.get(answer["Location"], headers={"accept-language": "en"}).content.decode()
    else:
        assert answer.status_code == 400
    assert client.post(f"{FORGOTTEN}nobody/new/", NEW).status_code == 200
    assert not signed_in(client)


def test_asking_says_the_same_of_a_known_address_as_of_an_unknown_one(ada: User) -> None:
    known, unknown = Client().post(FORGOTTEN, {"email": EMAIL}), Client().post(FORGOTTEN, {"email": "eve@example.com"})

    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])
    assert [told.to for told in mail.outbox] == [[EMAIL], ["eve@example.com"]]


def test_one_mail_box_gets_so_many_links_and_each_of_them_is_as_good_to_its_owner(client: Client, ada: User) -> None:
    stranger = Client(REMOTE_ADDR="203.0.113.1")
    answers = [stranger.post(FORGOTTEN, {"email": EMAIL}).status_code for _time in range(6)]
    [link] = re.findall(r"/accounts/password/forgotten/\S+", mail.outbox[0].body)

    client.post(client.get(link)["Location"], NEW)

    assert answers == [302] * 5 + [429]
    assert signed_in(client)


def test_who_changes_a_password_is_told_of_it_however_many_mails_came_before(browser: Client, ada: User) -> None:
    for _mail in range(MAILS_MAX + 1):
        Client().post(FORGOTTEN, {"email": EMAIL})

    changed = {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    browser.post("/accounts/password/", changed)

    assert len(mail.outbox) == MAILS_MAX + 1
    assert "Changed" in mail.outbox[-1].subject
