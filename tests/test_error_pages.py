"""Someone who goes astray is told, in their language, what happened and where to go."""

import pytest
from django.template.loader import render_to_string
from django.test import Client
from django.utils import translation


@pytest.mark.django_db
def test_a_wrong_address_shows_the_way_back(client: Client) -> None:
    answer = client.get("/nothing-lives-here/")

    assert answer.status_code == 404
    assert "This shelf is empty" in answer.text
    assert 'href="/"' in answer.text


@pytest.mark.django_db
def test_a_wrong_address_is_told_in_french(client: Client) -> None:
    answer = client.get("/nothing-lives-here/", headers={"Accept-Language": "fr"})

    assert "Cette étagère est vide" in answer.text


@pytest.mark.django_db
def test_a_form_without_its_token_explains_itself() -> None:
    answer = Client(enforce_csrf_checks=True).post("/i18n/setlang/", {"language": "fr"})

    assert answer.status_code == 403
    assert "This form has expired" in answer.text


@pytest.mark.parametrize("page", ["400.html", "500.html", "403_csrf.html"])
def test_pages_for_the_worst_hour_need_neither_context_nor_database(page: str) -> None:
    with translation.override("fr"):
        text = render_to_string(page)

    assert 'lang="fr"' in text
    assert "Vers la boutique" in text
